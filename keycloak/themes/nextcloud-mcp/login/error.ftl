<#import "template.ftl" as layout>
<@layout.registrationLayout displayMessage=false; section>
    <#if section = "header">
        ${msg("errorTitle")}
    <#elseif section = "form">
        <div id="kc-error-message">
            <p class="instruction">${kcSanitize(message.summary)?no_esc}</p>
            <#if traceId??><p id="traceId">${msg("traceIdSupportMessage", traceId)}</p></#if>
            <#-- no link to the client's home page, which may be anybody's -->
            <p class="note">${msg("errorNextStep")}</p>
        </div>
    </#if>
</@layout.registrationLayout>
