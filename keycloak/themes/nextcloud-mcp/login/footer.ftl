<#-- Keycloak's pages call this macro at their end. It adds what CSS and the script need to know from the server. -->
<#macro content>
<style>:root { --organisation-logo: url("${url.resourcesPath}/img/${properties.logo}"); }</style>
<#if authenticationSession??><div id="auth-session" hidden data-hash="${authenticationSession.authSessionIdHash}"></div></#if>
<#if realm.internationalizationEnabled && locale.supported?size gt 1>
<noscript><nav aria-label="${msg("languages")}"><#list locale.supported as l><a href="${l.url}" lang="${l.languageTag}">${l.label}</a> </#list></nav></noscript>
</#if>
</#macro>
