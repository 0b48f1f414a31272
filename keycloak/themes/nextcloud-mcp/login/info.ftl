<#import "template.ftl" as layout>
<@layout.registrationLayout displayMessage=false; section>
    <#if section = "header">
        <#if messageHeader??>${msg(messageHeader)}<#else>${message.summary}</#if>
    <#elseif section = "form">
        <div id="kc-info-message">
            <p class="instruction">${message.summary}<#if requiredActions??><#list requiredActions>: <b><#items as action>${msg("requiredAction." + action)}<#sep>, </#items></b></#list></#if></p>
            <#-- the link goes on at Keycloak; there is none to the client's pages, which may be anybody's -->
            <#if actionUri?has_content><p><a href="${actionUri}">${msg("proceedWithAction")}</a></p></#if>
        </div>
    </#if>
</@layout.registrationLayout>
