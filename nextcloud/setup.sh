#!/bin/sh
# Makes a stock Nextcloud trust the realm: the app user_oidc, a provider that takes bearer tokens, and what those need.
#
# Settings, by environment (README.md says more):
#   OIDC_DISCOVERY_URL             required: the realm's discovery document, at the address Nextcloud reaches it by
#   NEXTCLOUD_OIDC_CLIENT_SECRET   required, or ..._FILE: secret of Nextcloud's client in the realm
#   NEXTCLOUD_OIDC_CLIENT_ID       default nextcloud: that client's id, which a token must name as its audience
#   OIDC_PROVIDER_NAME             default keycloak: what user_oidc calls the realm
#   NEXTCLOUD_PUBLIC_URL           where browsers find Nextcloud; with http:// the web login is allowed over it
#   NEXTCLOUD_ALLOW_LOCAL_ISSUER   true: the issuer has a public name, but a private address
#   OCC                            default "php occ": the command that runs occ; split at spaces
#
# It runs any number of times and says at its end whether it changed anything. Keycloak need not be up: user_oidc
# asks for the discovery document when the first token or login comes.
set -eu

SCOPE='openid email profile'
changed=

fail() {
    printf 'setup.sh: %s\n' "$1" >&2
    exit 1
}

# report STEP STATE: one line a step, and the changed ones kept for the last line.
report() {
    printf '%s: %s\n' "$1" "$2"
    case $2 in changed*) changed="${changed:+$changed, }$1" ;; esac
}

# occ ARGUMENTS: its standard output goes to $answer, its errors to the caller's. It gets no standard input: the
# official image's loop over the hooks reads their names from it.
occ() {
    # shellcheck disable=SC2086 # a command with its arguments
    answer=$($OCC --no-interaction "$@" </dev/null)
}

# must FAILED NEXT ARGUMENTS: occ, or the end.
must() {
    failed=$1 next=$2
    shift 2
    occ "$@" || fail "$failed failed: $OCC $1 said \"$answer\". Next: $next"
}

# holds TEXT PART
holds() {
    case $1 in *"$2"*) ;; *) return 1 ;; esac
}

# ensure STEP WHY VALUE KIND NAME OPTIONS: a boolean of Nextcloud's configuration, read, written if need be, read again.
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

# boolean KIND NAME: $answer becomes true or false; an app's are 1 or 0, and none at all is false.
boolean() {
    # shellcheck disable=SC2086 # an app's setting has two words
    must "Reading $2" "occ config:list" "$1:get" $2 --default-value=false
    case $answer in 1) answer=true ;; 0) answer=false ;; esac
}

# Nextcloud's own idea of a local host (HostnameClassifier, IpAddressClassifier): it connects to none unless told to.
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

# --- Nextcloud ------------------------------------------------------------------------------------------------------

must "Asking Nextcloud for its state" "set OCC to what runs occ here, as the web server's user" status --output=json
holds "$answer" '"installed":true' ||
    fail "Nextcloud is not installed. Next: install it (the official image does with NEXTCLOUD_ADMIN_USER and the like)"
! holds "$answer" '"maintenance":true' || fail 'Nextcloud is in maintenance mode. Next: occ maintenance:mode --off'
! holds "$answer" '"needsDbUpgrade":true' || fail 'Nextcloud awaits its upgrade. Next: occ upgrade'

# --- the app; app:enable fetches it where it is not there ------------------------------------------------------------

must "Enabling user_oidc" "let Nextcloud reach its app store, or unpack the app into custom_apps/" app:enable user_oidc
if holds "$answer" 'already enabled'; then state=unchanged; else state=changed; fi
must "Reading user_oidc's version" "occ app:list" config:app:get user_oidc installed_version
case $answer in
    [0-7].* | 8.[0-4].*) fail "user_oidc $answer is too old, 8.5 is needed. Next: occ app:update user_oidc" ;;
esac
report "app user_oidc" "$state ($answer)"

# --- two lines of config.php that would let in every token of the realm ----------------------------------------------

must "Reading user_oidc of config.php" "occ config:list system" config:system:get user_oidc --default-value= --output=json
case $answer in
    *selfencoded_bearer_validation_audience_check\":[f0]* | *selfencoded_bearer_validation_audience_check\":\"[f0]*)
        fail 'config.php turns the audience check off: a token for any client would open Nextcloud. Next: occ config:system:delete user_oidc selfencoded_bearer_validation_audience_check'
        ;;
    *userinfo_bearer_validation\":[!f0n]*) # to PHP the string "false" is true
        fail 'config.php has bearer tokens checked by userinfo, which looks at no audience: a token for any client would open Nextcloud. Next: occ config:system:delete user_oidc userinfo_bearer_validation'
        ;;
esac
report "audience check" "unchanged (on)"

# --- an issuer on this machine or network ----------------------------------------------------------------------------

host=$(host_of "$OIDC_DISCOVERY_URL")
if is_local "$host" || [ "${NEXTCLOUD_ALLOW_LOCAL_ISSUER:-}" = true ]; then
    # It holds for all that Nextcloud connects to at its users' wish, so it is set for no other issuer, and as another
    # app may need it too, it is never taken back.
    ensure "requests to local addresses" "the issuer, $host, has one" true config:system allow_local_remote_servers
else
    report "requests to local addresses" "unchanged (not needed: the issuer is $host)"
    case $OIDC_DISCOVERY_URL in
        http:*) printf 'setup.sh: warning: signing keys come from %s unencrypted\n' "$host" >&2 ;;
    esac
fi

# --- the web login over plain HTTP, which user_oidc refuses by itself; bearer calls do not care -----------------------

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
# Another way of naming accounts would give everyone who has signed in a new, empty one.
if holds "$before" '"settings"'; then
    for wanted in '"uniqueUid":false' '"mappingUid":"preferred_username"'; do
        holds "$before" "$wanted" ||
            fail "Provider $provider names accounts in another way (not $wanted): with ours its users would get new, empty ones. Next: set OIDC_PROVIDER_NAME to another name; or, if nobody has used it: occ user_oidc:provider:delete $provider"
    done
fi

# It is saved even when nothing is new: that is how user_oidc comes to forget the realm's signing keys, which it keeps
# for an hour. The secret goes by standard input, where neither ps nor the environment shows it; and unlike the
# environment, docker exec, sudo and ssh hand it on.
# shellcheck disable=SC2086 # a command with its arguments
answer=$(printf '%s' "$secret" | $OCC --no-interaction user_oidc:provider "$provider" \
    --clientid="$client_id" --clientsecret-file=php://stdin --discoveryuri="$OIDC_DISCOVERY_URL" --scope="$SCOPE" \
    --check-bearer=1 --bearer-provisioning=1 --unique-uid=0 \
    --mapping-uid=preferred_username --mapping-display-name=name --mapping-email=email) ||
    fail "Saving provider $provider failed: $OCC user_oidc:provider said \"$answer\". Next: see Nextcloud's log"

must "Reading provider $provider back" "occ user_oidc:provider" user_oidc:provider "$provider" --output=json
saved=$(printf '%s' "$answer" | sed 's,\\/,/,g')
for wanted in "\"clientId\":\"$client_id\"" "\"discoveryEndpoint\":\"$OIDC_DISCOVERY_URL\"" "\"scope\":\"$SCOPE\"" \
    '"checkBearer":true' '"bearerProvisioning":true' '"uniqueUid":false' '"providerBasedId":false' \
    '"mappingUid":"preferred_username"' '"mappingDisplayName":"name"' '"mappingEmail":"email"'; do
    holds "$saved" "$wanted" ||
        fail "Provider $provider does not have $wanted after it was saved. Next: occ user_oidc:provider $provider"
done
if [ "$answer" = "$before" ]; then state=unchanged; else state=changed; fi
report "provider $provider" "$state"
printf 'provider %s: saved again all the same, so that remembered signing keys are dropped; ' "$provider"
printf 'its secret, which cannot be read back to compare, is the one given\n'

printf 'setup.sh: %s\n' "${changed:+changed: }${changed:-nothing changed}"
