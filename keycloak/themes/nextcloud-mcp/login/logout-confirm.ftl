<#import "template.ftl" as layout>
<#import "buttons.ftl" as buttons>
<@layout.registrationLayout; section>
    <#if section = "header">
        ${msg("logoutConfirmTitle")}
    <#elseif section = "form">
        <div id="kc-logout-confirm">
            <p class="instruction">${msg("logoutConfirmHeader")}</p>
            <form class="${properties.kcFormClass}" action="${url.logoutConfirmAction}" method="POST">
                <input type="hidden" name="session_code" value="${logoutConfirm.code}">
                <@buttons.actionGroup><@buttons.button id="kc-logout" name="confirmLogout" label="doLogout"/></@buttons.actionGroup>
            </form>
        </div>
    </#if>
</@layout.registrationLayout>
