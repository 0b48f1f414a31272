#!/bin/sh
# Makes a stock Nextcloud trust the realm: installs the app user_oidc, and sets up a provider that accepts bearer tokens.
#
# Settings in the environment (README.md has details):
#   OIDC_DISCOVERY_URL             required: the realm's discovery document, at an address that Nextcloud can reach
#   NEXTCLOUD_OIDC_CLIENT_SECRET   required, or ..._FILE: secret of Nextcloud's client in the realm
#   NEXTCLOUD_OIDC_CLIENT_ID       default nextcloud: that client's id, which a token must name as its audience
#   OIDC_PROVIDER_NAME             default keycloak: the realm's name in user_oidc
#   NEXTCLOUD_PUBLIC_URL           Nextcloud's address for browsers; http:// allows the web login over plain HTTP
#   NEXTCLOUD_ALLOW_LOCAL_ISSUER   true: the issuer has a public name, but a private address
#   NEXTCLOUD_LINK_LOCAL_ACCOUNTS  true: a realm user gets the local account of the same name; false: nobody gets one.
#                                  Required if Nextcloud has local accounts, unless config.php already says false. The
#                                  account from the installation of a new Nextcloud (NEXTCLOUD_ADMIN_USER) does not count
#   NEXTCLOUD_SHARED_PROVIDERS     other providers of user_oidc, separated by commas, that sign in the same people
#   NEXTCLOUD_GROUPS               groups, separated by commas, whose members the realm decides; needs its claim `groups`
#   NEXTCLOUD_APPS                 further apps to install, separated by spaces; a failed one does not stop the script
#   NEXTCLOUD_APPS_FOLDER          a folder with unpacked apps, including user_oidc, used instead of the app store
#   OCC                            default "php occ": the command that runs occ; split at spaces
#
# You can run it any number of times. Its last line says whether it changed anything. Keycloak need not be running:
# user_oidc fetches the discovery document at the first token or login.
set -eu

SCOPE='openid email profile'
ACCOUNTS_PER_CALL=500
MAX_ACCOUNTS_READ=2000
MAX_ACCOUNTS_SHOWN=20
APP_STORE_TIMEOUT=30 # seconds for the app store's list; a start must not wait longer
APP_TIMEOUT=300      # seconds to install one app, if the app store answers
OCC_TIMEOUT=120      # seconds for each other command, which usually takes about one
changed=

fail() {
    printf 'setup.sh: %s\n' "$1" >&2
    exit 1
}

# report STEP STATE: prints one line for a step, and collects the changed steps for the last line.
report() {
    printf '%s: %s\n' "$1" "$2"
    case $2 in changed*) changed="${changed:+$changed, }$1" ;; esac
}

# --foreground lets sudo ask for a password; busybox does not have this option.
if timeout --foreground 1 true 2>/dev/null; then
    limit='timeout --foreground'
elif timeout 1 true 2>/dev/null; then
    limit=timeout
else
    limit=
fi

errors=$(mktemp) || fail 'no temporary file can be made. Next: see that the disk with /tmp is not full'
trap 'rm -f "$errors"' EXIT

# limited SECONDS ARGUMENTS: runs occ with a time limit (status 124; with busybox, 143), if the command `timeout` exists.
# Without a limit, occ waits for ever for a Redis or a database that accepts connections but does not answer.
limited() {
    seconds=$1
    shift
    # shellcheck disable=SC2086 # commands with their arguments
    $limit ${limit:+"$seconds"} $OCC --no-interaction "$@"
}

# occ ARGUMENTS: runs occ. Its output goes to $answer, its errors to standard error. It gets no standard input, because
# the official image's loop over the hooks reads their names from standard input.
occ() {
    status=0
    answer=$(limited "$OCC_TIMEOUT" "$@" </dev/null 2>"$errors") || status=$?
    check_start "$1"
    return "$status"
}

# check_start COMMAND: ends the script if Nextcloud or one of its apps did not start. If only an app did not start, occ
# prints this, continues without the app, and exits with 0.
check_start() {
    cat "$errors" >&2
    case $status in
        124 | 143) fail "$OCC $1 did not end within $OCC_TIMEOUT s. Next: see that Nextcloud's Redis and database answer; run setup.sh again" ;;
    esac
    said=$(cat "$errors")$answer
    case $said in
        *'Could not boot '*) said="Could not boot ${said#*"Could not boot "}" ;;
        *'An unhandled exception has been thrown:'*) said=${said#*"An unhandled exception has been thrown:"} ;;
        *) return 0 ;;
    esac
    said=$(printf '%s' "$said" | tr '\n' ' ' | cut -c 1-300)
    fail "Nextcloud does not start: $OCC $1 said \"$said\". Next: see that its Redis and database run and take its passwords, and that no disk is full; run setup.sh again"
}

# must FAILED NEXT ARGUMENTS: runs occ; if it fails, ends the script.
must() {
    failed=$1 next=$2
    shift 2
    occ "$@" || fail "$failed failed: $OCC $1 said \"$answer\". Next: $next"
}

# holds TEXT PART: whether the text contains the part.
holds() {
    case $1 in *"$2"*) ;; *) return 1 ;; esac
}

# ensure STEP WHY VALUE KIND NAME OPTIONS: reads a boolean of Nextcloud's configuration, sets it if necessary, and reads it
# again.
ensure() {
    step=$1 why=$2 value=$3 kind=$4 name=$5
    shift 5
    boolean "$kind" "$name"
    if [ "$answer" = "$value" ]; then
        report "$step" "unchanged ($value: $why)"
        return
    fi
    # shellcheck disable=SC2086 # an app's setting has two words
    must "Setting $name" "see that occ can write the configuration" \
        "$kind:set" $name --type=boolean --value="$value" "$@"
    boolean "$kind" "$name"
    [ "$answer" = "$value" ] ||
        fail "$name is not $value after it was set. Next: look for another file in config/ that sets it"
    report "$step" "changed (now $value: $why)"
}

# boolean KIND NAME: sets $answer to true or false. An app's setting is 1 or 0; a missing setting is false.
boolean() {
    # shellcheck disable=SC2086 # an app's setting has two words
    must "Reading $2" "occ config:list" "$1:get" $2 --default-value=false
    case $answer in 1) answer=true ;; 0) answer=false ;; esac
}

# linking CONFIGURATION: prints whether config.php lets user_oidc give local accounts to realm users of the same name:
# true, false, or nothing. Only the boolean counts, because for PHP the string "false" is true.
linking() {
    case $1 in
        *\"soft_auto_provision\":false*) printf false ;;
        *\"soft_auto_provision\":*) printf true ;;
    esac
}

# read_configuration: sets $answer to user_oidc's part of config.php, as JSON.
read_configuration() {
    must "Reading user_oidc of config.php" "occ config:list system" \
        config:system:get user_oidc --default-value= --output=json
}

# read_accounts: sets $accounts to one line for each account, `KIND BACKEND NAME`. KIND is 0 for administrators, else 1.
read_accounts() {
    accounts='' offset=0 page=$ACCOUNTS_PER_CALL
    while [ "$page" -ge "$ACCOUNTS_PER_CALL" ] && [ "$offset" -lt "$MAX_ACCOUNTS_READ" ]; do
        must "Listing the accounts" "occ user:list --info" \
            user:list --info --output=json_pretty --limit="$ACCOUNTS_PER_CALL" --offset="$offset"
        # In this format each value has its own line, and no name can add a line.
        found=$(printf '%s\n' "$answer" | awk '
            /^        "user_id": / { name = value($0); kind = 1 }
            /^            "admin",?$/ { kind = 0 }
            /^        "backend": / { print kind, value($0), name }
            function value(line) { sub(/^ *"[a-z_]*": "/, "", line); sub(/",?$/, "", line); return line }
        ')
        page=$(printf '%s' "$found" | grep -c '' || true)
        [ "$page" = 0 ] || accounts="$accounts$found
"
        offset=$((offset + ACCOUNTS_PER_CALL))
    done
}

# select_accounts WHICH: prints the local accounts in $accounts, or those of user_oidc.
select_accounts() {
    case $1 in
        local) printf '%s' "$accounts" | awk '$2 != "user_oidc"' ;;
        user_oidc) printf '%s' "$accounts" | awk '$2 == "user_oidc"' ;;
    esac
}

# show_accounts ACCOUNTS: prints a limited number of accounts, administrators first.
show_accounts() {
    printf '%s\n' "$1" | sort | awk -v most="$MAX_ACCOUNTS_SHOWN" '
        { kind = $1; backend = $2; sub(/^[^ ]* [^ ]* /, "") }
        NR <= most { printf "  %s (%s%s)\n", $0, kind == 0 ? "administrator, " : "", backend }
        END { if (NR > most) printf "  and %d more\n", NR - most }
    '
    [ "$page" -lt "$ACCOUNTS_PER_CALL" ] || printf '  The first %s accounts were looked at.\n' "$MAX_ACCOUNTS_READ"
}

# app_from_folder APP: copies an app from the mounted folder to custom_apps/; returns 1 if the folder does not have it.
app_from_folder() {
    if [ -d "apps/$1" ] || [ -d "custom_apps/$1" ]; then return 0; fi
    [ -f "$NEXTCLOUD_APPS_FOLDER/$1/appinfo/info.xml" ] || return 1
    # copied under a name with a dot, which Nextcloud ignores, and renamed when the copy is complete
    rm -rf "custom_apps/.$1"
    cp -R "$NEXTCLOUD_APPS_FOLDER/$1" "custom_apps/.$1" && mv "custom_apps/.$1" "custom_apps/$1"
}

# within SECONDS ARGUMENTS: runs occ with a time limit (status 124; with busybox, 143). Its errors go to $answer too.
within() {
    answer=$(limited "$@" </dev/null 2>&1)
}

# app_store_answers: asks the app store once, only if an app must come from there. Nextcloud caches its list for an hour.
app_store_answers() {
    [ -n "${app_store:-}" ] || if within "$APP_STORE_TIMEOUT" app:update --all --showonly; then
        app_store=there
    else
        app_store=missing
    fi
    [ "$app_store" = there ]
}

# install APP: installs an app and always prints one line about it. $apps is the output of `occ app:list`.
install() {
    if holds "${apps%%\"disabled\":*}" "\"$1\":"; then
        report "app $1" 'unchanged (enabled)'
    elif ! occ config:app:get "$1" enabled --default-value=; then
        report "app $1" "not installed: occ config:app:get said \"$answer\""
    elif [ "$answer" = no ]; then
        report "app $1" 'unchanged (an administrator disabled or removed it)'
    elif holds "$apps" "\"$1\":"; then # the app is here, but was never enabled
        enable "$1"
    elif [ -n "${NEXTCLOUD_APPS_FOLDER:-}" ]; then
        if app_from_folder "$1"; then
            enable "$1"
        else
            report "app $1" "not installed: $NEXTCLOUD_APPS_FOLDER has no $1/appinfo/info.xml, or it cannot be copied to custom_apps/"
        fi
    elif app_store_answers; then
        enable "$1"
    else
        report "app $1" "not installed: the app store did not answer within $APP_STORE_TIMEOUT s"
    fi
}

# enable APP: enables an app; app:enable downloads it if it is missing.
enable() {
    status=0
    within "$APP_TIMEOUT" app:enable "$1" || status=$?
    if [ "$status" = 0 ] && holds "$answer" 'already enabled'; then
        report "app $1" 'unchanged (enabled, though its folder is gone)'
    elif [ "$status" = 0 ]; then
        report "app $1" 'changed (enabled)'
    else
        case $status in 124 | 143) app_store=missing ;; esac # it timed out, and the next app would wait as long
        report "app $1" "not installed: occ app:enable said \"$(printf '%s' "$answer" | tail -n 1)\""
    fi
}

# is_local HOST: whether Nextcloud considers the host local (HostnameClassifier, IpAddressClassifier). By default it does not
# connect to local hosts.
is_local() {
    case $1 in
        *:*) case $1 in ::1 | [fF][cCdD]*:* | [fF][eE]80:*) return 0 ;; esac ;;
        *[!0-9.]*)
            case $1 in
                *.local | *.localhost | *.intranet | *.internal | *.private | *.corp | *.home | *.lan) return 0 ;;
                *.*) ;;
                *) return 0 ;; # one word: localhost, or a service of the same Docker network
            esac
            ;;
        10.* | 127.* | 192.168.* | 169.254.* | 172.1[6-9].* | 172.2[0-9].* | 172.3[01].*) return 0 ;;
        100.6[4-9].* | 100.[7-9][0-9].* | 100.1[01][0-9].* | 100.12[0-7].*) return 0 ;;
    esac
    return 1
}

host_of() {
    host=${1#*://}
    host=${host%%/*}
    case $host in
        \[*) host=${host#\[} host=${host%%\]*} ;;
        *) host=${host%%:*} ;;
    esac
    printf '%s' "$host"
}

# --- settings -------------------------------------------------------------------------------------------------------

OCC=${OCC:-php occ}
provider=${OIDC_PROVIDER_NAME:-keycloak}
client_id=${NEXTCLOUD_OIDC_CLIENT_ID:-nextcloud}

case ${OIDC_DISCOVERY_URL:-} in
    http://?* | https://?*) ;;
    *) fail "OIDC_DISCOVERY_URL must be the http(s) address of the realm's .well-known/openid-configuration" ;;
esac

[ -z "${NEXTCLOUD_OIDC_CLIENT_SECRET:-}" ] || [ -z "${NEXTCLOUD_OIDC_CLIENT_SECRET_FILE:-}" ] ||
    fail 'NEXTCLOUD_OIDC_CLIENT_SECRET and NEXTCLOUD_OIDC_CLIENT_SECRET_FILE are both set: keep one'
if [ -n "${NEXTCLOUD_OIDC_CLIENT_SECRET_FILE:-}" ]; then
    secret=$(cat "$NEXTCLOUD_OIDC_CLIENT_SECRET_FILE" 2>/dev/null) ||
        fail "NEXTCLOUD_OIDC_CLIENT_SECRET_FILE: $NEXTCLOUD_OIDC_CLIENT_SECRET_FILE cannot be read by user $(id -u)"
else
    secret=${NEXTCLOUD_OIDC_CLIENT_SECRET:-}
fi
unset NEXTCLOUD_OIDC_CLIENT_SECRET # no child process needs it
[ -n "$secret" ] ||
    fail 'NEXTCLOUD_OIDC_CLIENT_SECRET (or NEXTCLOUD_OIDC_CLIENT_SECRET_FILE) must hold the secret of Nextcloud'\''s client'

case ${NEXTCLOUD_PUBLIC_URL:-} in
    '' | http://?* | https://?*) ;;
    *) fail 'NEXTCLOUD_PUBLIC_URL must start with http:// or https://' ;;
esac
case ${NEXTCLOUD_ALLOW_LOCAL_ISSUER:-} in
    '' | true) ;;
    *) fail 'NEXTCLOUD_ALLOW_LOCAL_ISSUER must be true or not set' ;;
esac

case ${NEXTCLOUD_LINK_LOCAL_ACCOUNTS:-} in
    '' | true | false) ;;
    *) fail 'NEXTCLOUD_LINK_LOCAL_ACCOUNTS must be true or false' ;;
esac
# Only these groups: without a list, user_oidc removes people from every other group, and the claim can grant `admin`.
groups=$(printf '%s' "${NEXTCLOUD_GROUPS:-}" | sed 's/ *, */,/g; s/^ *//; s/ *$//')
case $groups in
    *[]\/\\^\$\|\?\*+\(\){}\"\'\[]* | ,* | *, | *,,*) fail 'NEXTCLOUD_GROUPS must be names of groups, separated by commas, without / \ ^ $ | ? * + ( ) [ ] { } and quotation marks' ;;
esac
case ",$(printf '%s' "$groups" | tr '[:upper:]' '[:lower:]')," in
    *,admin,*) fail 'NEXTCLOUD_GROUPS must not name the group admin: who may change groups in Keycloak would be an administrator of Nextcloud' ;;
esac
group_provisioning=0 group_pattern=
if [ -n "$groups" ]; then
    group_provisioning=1
    group_pattern="/^($(printf '%s' "$groups" | sed 's/\./\\./g; s/,/|/g'))\$/D"
fi
case ${NEXTCLOUD_APPS:-} in
    *[!a-z0-9_\ ]*) fail 'NEXTCLOUD_APPS must be names of apps, separated by spaces' ;;
esac
if [ -n "${NEXTCLOUD_APPS_FOLDER:-}" ]; then
    [ -d "$NEXTCLOUD_APPS_FOLDER" ] || fail "NEXTCLOUD_APPS_FOLDER: $NEXTCLOUD_APPS_FOLDER is not a folder"
    [ -d custom_apps ] || fail 'NEXTCLOUD_APPS_FOLDER needs a folder custom_apps here: run setup.sh in the folder of Nextcloud'
fi

# --- Nextcloud ------------------------------------------------------------------------------------------------------

must "Asking Nextcloud for its state" "set OCC to what runs occ here, as the web server's user" status --output=json
holds "$answer" '"installed":true' ||
    fail "Nextcloud is not installed. Next: install it (the official image does with NEXTCLOUD_ADMIN_USER and the like)"
! holds "$answer" '"maintenance":true' || fail 'Nextcloud is in maintenance mode. Next: occ maintenance:mode --off'
! holds "$answer" '"needsDbUpgrade":true' || fail 'Nextcloud awaits its upgrade. Next: occ upgrade'

# The official image reads POSTGRES_HOST only at the installation, and later starts with any database.
if [ -n "${POSTGRES_HOST:-}" ]; then
    must "Reading dbtype" "occ config:list system" config:system:get dbtype
    [ "$answer" = pgsql ] ||
        fail "Nextcloud has its data in $answer, though POSTGRES_HOST is set: its volume is another deployment's. Next: have a volume of its own for this one, by another COMPOSE_PROJECT_NAME; or unset POSTGRES_HOST"
fi

# occ itself does not report a missing Redis, or an app that does not start; Nextcloud's log does.
if occ status --debug-log; then
    trouble=$(printf '%s\n' "$answer" | grep -E '^\[[a-z]+\] .*(Redis|NOAUTH|WRONGPASS|AUTH failed)' | head -n 1 | cut -c 1-300)
    [ -z "$trouble" ] ||
        fail "Nextcloud does not reach its Redis: \"$trouble\". Next: see that Redis runs and takes Nextcloud's password; run setup.sh again"
    trouble=$(printf '%s\n' "$answer" | grep -F '[fatal] [user_oidc]' | head -n 1 | cut -c 1-300)
    [ -z "$trouble" ] ||
        fail "Nextcloud cannot start user_oidc: \"$trouble\". Next: replace the app's folder by that of its release, which has its libraries; run setup.sh again"
fi

# --- the app; app:enable downloads it if it is missing ---------------------------------------------------------------

if [ -n "${NEXTCLOUD_APPS_FOLDER:-}" ]; then
    app_from_folder user_oidc ||
        fail "user_oidc is missing: $NEXTCLOUD_APPS_FOLDER has no user_oidc/appinfo/info.xml, or it cannot be copied to custom_apps/. Next: unpack the app's release there"
fi
must "Enabling user_oidc" "let Nextcloud reach its app store, or unpack the app into custom_apps/" app:enable user_oidc
if holds "$answer" 'already enabled'; then state=unchanged; else state=changed; fi
must "Reading user_oidc's version" "occ app:list" config:app:get user_oidc installed_version
case $answer in
    [0-7].* | 8.[0-4].*) fail "user_oidc $answer is too old, 8.5 is needed. Next: occ app:update user_oidc" ;;
esac
report "app user_oidc" "$state ($answer)"

# --- two settings of config.php with which Nextcloud would accept every token of the realm ---------------------------

read_configuration
configuration=$answer
case $configuration in
    *selfencoded_bearer_validation_audience_check\":[f0]* | *selfencoded_bearer_validation_audience_check\":\"[f0]*)
        fail 'config.php turns the audience check off: a token for any client would open Nextcloud. Next: occ config:system:delete user_oidc selfencoded_bearer_validation_audience_check'
        ;;
    *userinfo_bearer_validation\":[!f0n]*) # for PHP the string "false" is true
        fail 'config.php has bearer tokens checked by userinfo, which looks at no audience: a token for any client would open Nextcloud. Next: occ config:system:delete user_oidc userinfo_bearer_validation'
        ;;
esac
report "audience check" "unchanged (on)"

# --- an issuer on this machine or network ----------------------------------------------------------------------------

host=$(host_of "$OIDC_DISCOVERY_URL")
if is_local "$host" || [ "${NEXTCLOUD_ALLOW_LOCAL_ISSUER:-}" = true ]; then
    # The setting applies to every connection that users can make Nextcloud open, so it is not set for other issuers. It is
    # never reset, because another app may need it.
    ensure "requests to local addresses" "the issuer, $host, has one" true config:system allow_local_remote_servers
else
    report "requests to local addresses" "unchanged (not needed: the issuer is $host)"
    case $OIDC_DISCOVERY_URL in
        http:*) printf 'setup.sh: warning: signing keys come from %s unencrypted\n' "$host" >&2 ;;
    esac
fi

# --- the web login over plain HTTP, which user_oidc refuses by default; bearer calls do not need it -------------------

step='web login over plain HTTP'
case ${NEXTCLOUD_PUBLIC_URL:-} in
    http:*) ensure "$step" "$NEXTCLOUD_PUBLIC_URL" true config:app 'user_oidc allow_insecure_http' --lazy ;;
    https:*) ensure "$step" "$NEXTCLOUD_PUBLIC_URL" false config:app 'user_oidc allow_insecure_http' --lazy ;;
    '') report "$step" "unchanged (NEXTCLOUD_PUBLIC_URL is not set)" ;;
esac

# --- the provider ---------------------------------------------------------------------------------------------------

occ user_oidc:provider "$provider" --output=json || holds "$answer" 'Provider not found' ||
    fail "Reading provider $provider failed: $OCC user_oidc:provider said \"$answer\". Next: occ user_oidc:provider"
before=$answer
# With another way of naming accounts, everyone who has signed in would get a new, empty account.
if holds "$before" '"settings"'; then
    for wanted in '"uniqueUid":false' '"mappingUid":"preferred_username"'; do
        holds "$before" "$wanted" ||
            fail "Provider $provider names accounts in another way (not $wanted): with ours its users would get new, empty ones. Next: set OIDC_PROVIDER_NAME to another name; or, if nobody has used it: occ user_oidc:provider:delete $provider"
    done
fi

is_new_provider() {
    ! holds "$before" '"settings"'
}

# --- the accounts that a token gives access to; before the provider accepts tokens ------------------------------------

choice=${NEXTCLOUD_LINK_LOCAL_ACCOUNTS:-$(linking "$configuration")}
if [ -z "${NEXTCLOUD_LINK_LOCAL_ACCOUNTS:-}" ] && [ "$choice" != false ]; then
    read_accounts
    local_accounts=$(select_accounts local)
    # A new Nextcloud has the account from its installation, which no realm user can have used yet.
    if [ -n "$local_accounts" ] && ! { is_new_provider && [ "$local_accounts" = "0 Database ${NEXTCLOUD_ADMIN_USER:-}" ]; }; then
        printf 'local accounts, which the realm user of the same name would get:\n'
        show_accounts "$local_accounts"
        fail 'NEXTCLOUD_LINK_LOCAL_ACCOUNTS is not set, and Nextcloud has local accounts. Next: set it to false, so that nobody gets a local account through Keycloak; or to true, so that each realm user gets the local account of the same name'
    fi
    choice=false
fi

if [ "$choice" = false ]; then
    case $configuration in
        *\"auto_provision\":[f0]* | *\"auto_provision\":\"\"* | *\"auto_provision\":\"0\"* | *\"auto_provision\":\[\]*)
            fail 'config.php turns auto_provision off, with which user_oidc gives local accounts to realm users of the same name. Next: occ config:system:delete user_oidc auto_provision; or NEXTCLOUD_LINK_LOCAL_ACCOUNTS=true'
            ;;
    esac
    # user_oidc does not remember the provider of an account.
    must "Listing the providers" "occ user_oidc:provider" user_oidc:provider --output=json_pretty
    others=$(printf '%s\n' "$answer" | sed -n 's,^        "identifier": "\(.*\)".*,\1,p' | sed 's,\\\([/"\\]\),\1,g')
    while read -r other; do
        case ",$provider,${NEXTCLOUD_SHARED_PROVIDERS:-}," in *",$other,"*) continue ;; esac
        [ -n "$other" ] || continue
        must "Reading provider $other" "occ user_oidc:provider" user_oidc:provider "$other" --output=json
        other_settings=$(printf '%s' "$answer" | sed 's,\\/,/,g')
        if holds "$other_settings" '"uniqueUid":false' && holds "$other_settings" '"providerBasedId":false' &&
            ! holds "$other_settings" "\"discoveryEndpoint\":\"$OIDC_DISCOVERY_URL\""; then
            fail "Provider $other names accounts as $provider does, so a realm user gets the account of that provider's user of the same name. Next: if both sign in the same people, NEXTCLOUD_SHARED_PROVIDERS=\"$other\"; otherwise delete one of the two"
        fi
    done <<EOF
$others
EOF
    if is_new_provider; then
        read_accounts
        left=$(select_accounts user_oidc)
        if [ -n "$left" ]; then
            printf 'accounts that user_oidc has from another provider, which the realm user of the same name gets:\n'
            show_accounts "$left"
            printf 'setup.sh: warning: delete those that are not of people of the realm: occ user:delete NAME\n' >&2
        fi
    fi
else
    read_accounts
    local_accounts=$(select_accounts local)
    if [ -n "$local_accounts" ]; then
        printf 'local accounts, which the realm user of the same name gets:\n'
        show_accounts "$local_accounts"
        ! holds "
$local_accounts" "
0 " || printf 'setup.sh: warning: with the name of an administrator, a realm user is one\n' >&2
    fi
fi

case $choice in
    true) meaning="given to the realm's people of the same names" ;;
    false) meaning="closed to the realm's people" ;;
esac
if [ "$(linking "$configuration")" = "$choice" ]; then
    report "local accounts" "unchanged ($meaning)"
else
    must "Setting soft_auto_provision" "see that occ can write the configuration" \
        config:system:set user_oidc soft_auto_provision --type=boolean --value="$choice"
    read_configuration
    [ "$(linking "$answer")" = "$choice" ] ||
        fail "soft_auto_provision of user_oidc is not $choice after it was set. Next: look for another file in config/ that sets user_oidc"
    report "local accounts" "changed (now $meaning)"
    if [ "$choice" = false ] && holds "$before" '"settings"'; then
        printf 'setup.sh: warning: who got into a local account through Keycloak before keeps browser sessions and app passwords. Next: occ user:auth-tokens:list NAME\n' >&2
    fi
fi

# The provider is saved even if nothing changed, because this clears user_oidc's cache of the realm's signing keys, which
# lasts an hour. The secret goes by standard input, so that neither ps nor the environment shows it. docker exec, sudo and
# ssh pass on standard input, but not the environment.
status=0
answer=$(printf '%s' "$secret" | limited "$OCC_TIMEOUT" user_oidc:provider "$provider" \
    --clientid="$client_id" --clientsecret-file=php://stdin --discoveryuri="$OIDC_DISCOVERY_URL" --scope="$SCOPE" \
    --check-bearer=1 --bearer-provisioning=1 --unique-uid=0 \
    --mapping-uid=preferred_username --mapping-display-name=name --mapping-email=email \
    --group-provisioning="$group_provisioning" --mapping-groups=groups --group-whitelist-regex="$group_pattern" 2>"$errors") || status=$?
check_start user_oidc:provider
[ "$status" = 0 ] ||
    fail "Saving provider $provider failed: $OCC user_oidc:provider said \"$answer\". Next: see Nextcloud's log"

must "Reading provider $provider back" "occ user_oidc:provider" user_oidc:provider "$provider" --output=json
saved=$(printf '%s' "$answer" | sed 's,\\/,/,g; s,\\\\,\\,g')
if [ "$group_provisioning" = 1 ]; then is_group_provisioning=true; else is_group_provisioning=false; fi
for wanted in "\"clientId\":\"$client_id\"" "\"discoveryEndpoint\":\"$OIDC_DISCOVERY_URL\"" "\"scope\":\"$SCOPE\"" \
    '"checkBearer":true' '"bearerProvisioning":true' '"uniqueUid":false' '"providerBasedId":false' \
    '"mappingUid":"preferred_username"' '"mappingDisplayName":"name"' '"mappingEmail":"email"' \
    "\"groupProvisioning\":$is_group_provisioning" "\"groupWhitelistRegex\":\"$group_pattern\""; do
    holds "$saved" "$wanted" ||
        fail "Provider $provider does not have $wanted after it was saved. Next: occ user_oidc:provider $provider"
done
if [ "$answer" = "$before" ]; then state=unchanged; else state=changed; fi
report "provider $provider" "$state"
printf 'provider %s: saved again all the same, so that remembered signing keys are dropped; ' "$provider"
printf 'its secret, which cannot be read back to compare, is the one given\n'

# --- apps in whose pages people see what an assistant did; no tool of another app needs them --------------------------

if [ -n "${NEXTCLOUD_APPS:-}" ]; then
    apps=
    if occ app:list --output=json; then apps=$answer; fi
    for app in $NEXTCLOUD_APPS; do install "$app"; done
fi

printf 'setup.sh: %s\n' "${changed:+changed: }${changed:-nothing changed}"
