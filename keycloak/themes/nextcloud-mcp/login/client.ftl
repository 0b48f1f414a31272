<#-- What a page may say about a client. Its name, and all of its addresses but the one that gets the code, may come from
     anybody (RFC 7591), so no page shows its logo, home page, policy or terms. -->

<#-- The client's name, without characters that are invisible or reverse the text around them, and not longer than a line
     or two. It is not looked up as a message: a client may name itself "${"$"}{client_account-console}". -->
<#function name>
    <#local shown = (client.name!"")?replace(r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+", " ", "r")?replace(r"(\p{M}{2})\p{M}+", "$1", "r")?trim>
    <#return shown?has_content?then(shown, client.clientId)?truncate_c(80, "…")>
</#function>

<#-- BASE64URL (RFC 4648 section 5) to text; FreeMarker has no function for it. Bytes outside of ASCII become "?". -->
<#function base64url encoded>
    <#local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_">
    <#local ascii = r" !" + '"' + r"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefghijklmnopqrstuvwxyz{|}~">
    <#local text = "" held = 0 bits = 0>
    <#list encoded?replace(r"[^\w-]", "", "r")?split("") as letter>
        <#if letter?has_content>
            <#local held = held * 64 + alphabet?index_of(letter) bits = bits + 6>
            <#if bits gte 8>
                <#local bits = bits - 8>
                <#local unit = [1, 4, 16][bits / 2]>
                <#local byte = (held / unit)?floor held = held % unit>
                <#local text = text + ((byte gte 32) && (byte lte 126))?then(ascii[(byte gte 32)?then([byte, 126]?min - 32, 0)], "?")>
            </#if>
        </#if>
    </#list>
    <#return text>
</#function>

<#-- The redirect URI that gets the code. Keycloak 26 gives templates no such value, but puts the one that it validated
     into the addresses of its own forms: client_data is BASE64URL of {"ru": redirect URI, "rt": …}. -->
<#function redirectUri>
    <#local data = url.loginRestartFlowUrl?matches(r".*[?&]client_data=([\w-]+).*")>
    <#return data?then((base64url(data?groups[1])?eval_json).ru!"", "")>
</#function>

<#-- Where the code goes, in words: this computer, a host, or an app that opens addresses of its own scheme. -->
<#function returnsTo>
    <#local parts = redirectUri()?matches(r"([A-Za-z][A-Za-z0-9+.-]*):(?://)?(?:[^/?#\\]*@)?(\[[^\]]*\]|[^/?#\\:]*).*")>
    <#if !parts><#return msg("consentReturnsUnknown")></#if>
    <#local scheme = parts?groups[1]?lower_case host = parts?groups[2]?lower_case>
    <#if ["localhost", "127.0.0.1", "[::1]"]?seq_contains(host)><#return msg("consentReturnsHere")></#if>
    <#if ["http", "https"]?seq_contains(scheme)><#return host></#if>
    <#return msg("consentReturnsApp", scheme)>
</#function>
