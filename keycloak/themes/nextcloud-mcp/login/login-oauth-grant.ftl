<#import "template.ftl" as layout>
<#import "buttons.ftl" as buttons>
<#import "client.ftl" as app>
<#-- The realm's scopes have the consent texts ${"$"}{consent-APP-read} and ${"$"}{consent-APP-write}, which become one line an app, and
     ${"$"}{consent-server-MODE}, whose line says "only while you are signed in" unless offline access says otherwise.
     Any other text is a line of its own, as in Keycloak's own page. -->
<#assign rights = {} lines = []>
<#assign offline = (oauth.clientScopesRequested![])?filter(scope -> scope.consentScreenText == r"${consent-offline}")?has_content?then("-offline", "")>
<#list oauth.clientScopesRequested![] as scope>
    <#assign key = scope.consentScreenText?matches(r"\$\{consent-([a-z]+)-([a-z-]+)\}")>
    <#if key && key?groups[1] == "server">
        <#assign lines = lines + [{"text": msg("consentServer." + key?groups[2] + (key?groups[2] == "exchange")?then(offline, "")), "kind": key?groups[2]}]>
    <#elseif key>
        <#assign name = key?groups[1]>
        <#assign rights = rights + {name: (rights[name]!"") + "." + key?groups[2]}>
    <#else>
        <#assign parameter = scope.parameterizedScopeParameter?has_content?then(": " + scope.parameterizedScopeParameter!"", "")>
        <#assign lines = lines + [{"text": advancedMsg(scope.consentScreenText) + parameter, "kind": ""}]>
    </#if>
</#list>
<#function line name right>
    <#local own = "consentLine." + name + right>
    <#if msg(own) != own><#return msg(own)></#if>
    <#return msg("consentLine", msg("consentApp." + name), msg("consentRight" + right))>
</#function>
<@layout.registrationLayout bodyClass="oauth"; section>
    <#if section = "header">
        ${msg("consentTitle")}
    <#elseif section = "form">
        <div id="kc-oauth">
            <dl>
                <div><dt>${msg("consentName")}</dt><dd><bdi id="client-name">${app.name()}</bdi> <small>${msg("consentNameUnchecked")}</small></dd></div>
                <div><dt>${msg("consentReturns")}</dt><dd><bdi id="returns-to">${app.returnsTo()}</bdi></dd></div>
                <div><dt>${msg("consentUser")}</dt><dd><bdi id="signed-in-as">${msg("consentUserSignedIn")}</bdi>
                    <a id="sign-in-as-somebody-else" href="${url.loginRestartFlowUrl}">${msg("consentOtherUser")}</a></dd></div>
            </dl>
            <#if rights?has_content || lines?has_content>
            <h2>${msg("consentMay")}</h2>
            <ul id="kc-scopes">
                <#list rights as name, right><li class="app">${line(name, right)}</li></#list>
                <#list lines as each><li class="${each.kind}">${each.text}</li></#list>
            </ul>
            </#if>
            <form class="${properties.kcFormClass}" action="${url.oauthAction}" method="POST">
                <input type="hidden" name="code" value="${oauth.code}">
                <@buttons.actionGroup horizontal=true>
                    <@buttons.button id="kc-login" name="accept" label="consentAllow"/>
                    <@buttons.button id="kc-cancel" name="cancel" label="consentDeny" type="secondary"/>
                </@buttons.actionGroup>
            </form>
            <p class="note"><#if rights?values?filter(right -> right?ends_with("write"))?has_content>${msg("consentChange")} </#if>${msg("consentEnd")}
                <a href="${url.loginRestartFlowUrl?keep_before("/login-actions/")}/account/applications" target="_blank" rel="noopener">${msg("consentAccount")}</a></p>
        </div>
    </#if>
</@layout.registrationLayout>
