"""Tokens that the server must refuse or accept, by a name for each case (RFC 6750, 7519, 8725, 9068).

Each bad token has the reason for which it is refused, and the requirements that it shows (tests/requirements.py).
"""

import hmac
import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from joserfc.jwk import ECKey, Key, OKPKey

from tests.support.minting import Minter, signed

CLIENT_ID: Final = "mcp-server"
"""The configured client id, which is a valid audience like the server's URL."""

Mint = Callable[[Minter], str]


@dataclass(frozen=True)
class BadToken:
    """A token that the server must refuse.

    Attributes:
        mint: makes the token.
        cause: a part of the cause in the error; a token that is refused for another reason shows nothing.
        shows: the ids of the requirements that this token alone shows.
    """

    mint: Mint
    cause: str
    shows: tuple[str, ...]


def bad(mint: Mint, cause: str, *shows: str) -> BadToken:
    """Return a token that the server must refuse."""
    return BadToken(mint, cause, shows)


NOT_A_JWT: Final = "is not a signed JWT"
ALGORITHM: Final = "which this server does not accept"
SIGNATURE: Final = "signature is not the issuer's"
NO_KEY_ID: Final = "does not name its signing key"
UNKNOWN_KEY: Final = "a key that the issuer does not publish"
EXTENSIONS: Final = "asks for extensions"
AUDIENCE: Final = "is not meant for this server"
EXPIRED: Final = "has expired"
TYPE: Final = "is not an access token"
NOT_A_STRING: Final = "is not a string"

ATTACKERS_EC_KEY: Final = ECKey.generate_key("P-256")
ATTACKERS_ED25519_KEY: Final = OKPKey.generate_key("Ed25519")
ATTACKERS_ED448_KEY: Final = OKPKey.generate_key("Ed448")
EVIL: Final = "https://attacker.test/jwks.json"


def now(offset: float) -> int:
    """Return the time `offset` seconds from now as a NumericDate."""
    return int(time.time() + offset)


def forged(minter: Minter, header: str, *, payload: str | None = None) -> str:
    """Sign exactly this header with the issuer's key."""
    return signed(header, json.dumps(minter.claims()) if payload is None else payload, minter.signing_key)


def hs256(minter: Minter) -> str:
    """Sign with HS256, and the issuer's public key (PEM) as the shared secret."""
    signing_input = minter.mint(header={"alg": "HS256"}).rpartition(".")[0]
    signature = hmac.digest(minter.signing_key.as_pem(private=False), signing_input.encode(), "sha256")
    return f"{signing_input}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


def attackers_jwk(minter: Minter) -> str:
    """Sign with an attacker's key, and put that key into the header."""
    header = {
        "alg": "ES256",
        "typ": "JWT",
        "kid": minter.signing_key.kid,
        "jwk": ATTACKERS_EC_KEY.as_dict(private=False),
    }
    return signed(json.dumps(header), json.dumps(minter.claims()), ATTACKERS_EC_KEY, algorithm="ES256")


def in_utf16(minter: Minter) -> str:
    """Encode the header and claims in UTF-16 instead of UTF-8, and sign them."""
    header = json.dumps({"alg": "RS256", "typ": "JWT", "kid": minter.signing_key.kid})
    return signed(header, json.dumps(minter.claims()), minter.signing_key, encoding="utf-16-le")


_NOT_A_SIGNED_JWT: Final[Mapping[str, BadToken]] = {
    "empty": bad(lambda _: "", NOT_A_JWT),
    "garbage": bad(lambda _: "garbage", NOT_A_JWT),
    "only dots": bad(lambda _: "..", NOT_A_JWT),
    "five parts, as a JWE": bad(lambda k: f"{k.mint()}.AAAA.AAAA", NOT_A_JWT),
    "not base64": bad(lambda _: "!!!.!!!.!!!", NOT_A_JWT),
    "not ASCII": bad(lambda _: "é.è.ê", NOT_A_JWT),
    "in UTF-16": bad(in_utf16, NOT_A_JWT, "rfc8725-utf8"),
    "NUL": bad(lambda k: k.mint() + "\0", SIGNATURE),
    "header is a list": bad(lambda k: forged(k, "[]"), NOT_A_JWT),
    "header is empty": bad(lambda k: forged(k, "{}"), NOT_A_JWT),
    "header is nested without end": bad(lambda k: forged(k, '{"alg":"RS256","kid":' + "[" * 100_000), NOT_A_JWT),
    "header is too long": bad(lambda k: k.mint(header={"x5u": "https://attacker.test/" + "a" * 1000}), NOT_A_JWT),
    "payload is too long": bad(lambda k: k.mint(comment="a" * 200_000), NOT_A_JWT),
}


def signed_by(algorithm: str, key: Key) -> Mint:
    """Sign with another algorithm and an attacker's key, under the `kid` of the issuer's key."""

    def mint(minter: Minter) -> str:
        header = {"alg": algorithm, "typ": "JWT", "kid": minter.signing_key.kid}
        return signed(json.dumps(header), json.dumps(minter.claims()), key, algorithm=algorithm)

    return mint


def hs256_with_octets(minter: Minter) -> str:
    """Sign with HS256, and the modulus of the issuer's public key as the shared secret."""
    signing_input = minter.mint(header={"alg": "HS256"}).rpartition(".")[0]
    secret = urlsafe_b64decode(str(minter.signing_key.as_dict(private=False)["n"]) + "==")
    signature = hmac.digest(secret, signing_input.encode(), "sha256")
    return f"{signing_input}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


_SIGNATURE: Final[Mapping[str, BadToken]] = {
    "alg none, no signature": bad(lambda k: k.mint(header={"alg": "none"}).rpartition(".")[0] + ".", ALGORITHM),
    "alg none, some signature": bad(lambda k: k.mint(header={"alg": "none"}), ALGORITHM, "rfc8725-no-none"),
    "alg None in another case": bad(lambda k: k.mint(header={"alg": "nOnE"}).rpartition(".")[0] + ".", ALGORITHM),
    "alg missing": bad(lambda k: k.mint(header={"alg": None}), NOT_A_JWT),
    "alg is a list": bad(lambda k: k.mint(header={"alg": ["RS256"]}), ALGORITHM),
    "alg of another family": bad(lambda k: k.mint(header={"alg": "ES256"}), SIGNATURE),
    "HS256 with the public key as secret": bad(hs256, ALGORITHM, "rfc8725-one-algorithm-per-key"),
    "HS256 with the modulus as secret": bad(hs256_with_octets, ALGORITHM),
    "EdDSA over an RSA key's name": bad(
        signed_by("EdDSA", ATTACKERS_ED25519_KEY), SIGNATURE, "rfc8725-inputs-validated"
    ),
    "EdDSA by Ed448 over an RSA key's name": bad(signed_by("EdDSA", ATTACKERS_ED448_KEY), SIGNATURE),
    "EdDSA by its later name": bad(signed_by("Ed25519", ATTACKERS_ED25519_KEY), ALGORITHM),
    "EdDSA with a signature of zeros": bad(
        lambda k: (
            k.mint(header={"alg": "EdDSA"}).rpartition(".")[0] + "." + urlsafe_b64encode(bytes(64)).decode().rstrip("=")
        ),
        SIGNATURE,
    ),
    "PS256 with a key for RS256": bad(lambda k: k.mint(header={"alg": "PS256"}), SIGNATURE),
    "alg of a curve that Keycloak has not": bad(
        lambda k: k.mint(header={"alg": "ES256K"}), ALGORITHM, "rfc8725-algorithms-listed", "rfc8725-current-algorithms"
    ),
    "alg is a sentence": bad(lambda k: k.mint(header={"alg": "RS256: sign in at https://attacker.test"}), ALGORITHM),
    "alg is empty": bad(lambda k: k.mint(header={"alg": ""}), ALGORITHM),
    "another key under the name of ours": bad(
        lambda k: k.mint(key=k.foreign_key), SIGNATURE, "rfc8725-issuer-keys", "rfc9068-signature-verified"
    ),
    "signature cut off": bad(
        lambda k: k.mint().rpartition(".")[0] + ".", SIGNATURE, "rfc8725-all-operations-validated"
    ),
    "signature of another token": bad(
        lambda k: k.mint().rpartition(".")[0] + "." + k.mint(sub="bob").rpartition(".")[2],
        SIGNATURE,
        "rfc6750-integrity",
    ),
    "kid missing": bad(lambda k: k.mint(header={"kid": None}), NO_KEY_ID),
    "kid empty": bad(lambda k: k.mint(header={"kid": ""}), NO_KEY_ID),
    "kid is a number": bad(lambda k: k.mint(header={"kid": 7}), NO_KEY_ID),
    "kid is a list": bad(lambda k: k.mint(header={"kid": [k.signing_key.kid]}), NO_KEY_ID),
    "kid unknown": bad(lambda k: k.mint(header={"kid": "no-such-key"}), UNKNOWN_KEY),
    "kid like a path": bad(lambda k: k.mint(header={"kid": "../../../../dev/null"}), UNKNOWN_KEY, "rfc8725-kid"),
    "kid like SQL": bad(lambda k: k.mint(header={"kid": "' UNION SELECT 'key"}), UNKNOWN_KEY),
    "jku of an attacker": bad(lambda k: k.mint(key=k.foreign_key, header={"jku": EVIL}), SIGNATURE, "rfc8725-jku-x5u"),
    "x5u of an attacker": bad(lambda k: k.mint(key=k.foreign_key, header={"x5u": EVIL}), SIGNATURE),
    "jwk of an attacker": bad(attackers_jwk, SIGNATURE),
    "crit, unknown": bad(lambda k: k.mint(header={"crit": ["exp"], "exp": 1}), EXTENSIONS),
    "crit, unencoded payload": bad(lambda k: k.mint(header={"crit": ["b64"], "b64": False}), EXTENSIONS),
    "crit, a number": bad(lambda k: k.mint(header={"crit": 5}), EXTENSIONS),
    "crit, nested lists": bad(lambda k: k.mint(header={"crit": [[]]}), EXTENSIONS),
    "payload is not JSON": bad(
        lambda k: forged(k, json.dumps({"alg": "RS256", "kid": k.signing_key.kid}), payload="hello"), NOT_A_JWT
    ),
    "payload is a list": bad(
        lambda k: forged(k, json.dumps({"alg": "RS256", "kid": k.signing_key.kid}), payload="[]"), NOT_A_JWT
    ),
}

_CLAIMS: Final[Mapping[str, BadToken]] = {
    "iss missing": bad(lambda k: k.mint(iss=None), "Missing claim: 'iss'"),
    "iss of another realm": bad(lambda k: k.mint(iss=k.issuer.rpartition("/")[0] + "/master"), "Invalid claim: 'iss'"),
    "iss with a slash": bad(lambda k: k.mint(iss=f"{k.issuer}/"), "Invalid claim: 'iss'", "rfc9068-issuer-verified"),
    "iss, a list with ours": bad(lambda k: k.mint(iss=[k.issuer]), "Claim 'iss' must be"),
    "aud missing": bad(lambda k: k.mint(aud=None), "Missing claim: 'aud'", "rfc8725-audience-validated"),
    "aud empty": bad(lambda k: k.mint(aud=""), "Invalid claim: 'aud'"),
    "aud an empty list": bad(lambda k: k.mint(aud=[]), "Invalid claim: 'aud'"),
    "aud account": bad(lambda k: k.mint(aud="account"), AUDIENCE),
    "aud nextcloud alone": bad(lambda k: k.mint(aud="nextcloud"), AUDIENCE, "rfc9068-audience-verified"),
    "aud a prefix of ours": bad(lambda k: k.mint(aud=k.resource[:-1]), AUDIENCE),
    "aud longer than ours": bad(lambda k: k.mint(aud=f"{k.resource}/admin"), AUDIENCE),
    "aud in another case": bad(lambda k: k.mint(aud=k.resource.upper()), AUDIENCE, "rfc9728-code-point-comparison"),
    "aud with a slash": bad(lambda k: k.mint(aud=f"{k.resource}/"), AUDIENCE),
    "aud with another port": bad(lambda k: k.mint(aud=re.sub(r":\d+", ":1", k.resource)), AUDIENCE),
    "aud with another scheme": bad(lambda k: k.mint(aud=k.resource.replace("http:", "https:")), AUDIENCE),
    "aud with all in one string": bad(lambda k: k.mint(aud=f"{k.resource} nextcloud"), AUDIENCE),
    "aud a number": bad(lambda k: k.mint(aud=5), "Claim 'aud' must be"),
    "aud a list of objects": bad(lambda k: k.mint(aud=[{"url": k.resource}]), "Claim 'aud' must be"),
    "aud an object": bad(lambda k: k.mint(aud={k.resource: True}), "Claim 'aud' must be"),
    "sub missing": bad(lambda k: k.mint(sub=None), "Missing claim: 'sub'", "rfc8725-subject"),
    "sub empty": bad(lambda k: k.mint(sub=""), "Invalid claim: 'sub'"),
    "sub a number": bad(lambda k: k.mint(sub=5), "Claim 'sub' must be"),
    "exp missing": bad(lambda k: k.mint(exp=None), "Missing claim: 'exp'"),
    "exp 31 s ago": bad(lambda k: k.mint(exp=now(-31)), EXPIRED, "rfc9068-exp-verified"),
    "exp a day ago": bad(lambda k: k.mint(exp=now(-86_400)), EXPIRED),
    "exp a string": bad(lambda k: k.mint(exp=str(now(300))), "Claim 'exp' must be"),
    "exp true": bad(lambda k: k.mint(exp=True), "Claim 'exp' must be"),
    "exp infinite": bad(lambda k: k.mint(exp=float("inf")), "Claim 'exp' must be"),
    "exp not a number": bad(lambda k: k.mint(exp=float("nan")), "Claim 'exp' must be"),
    "nbf in 40 s": bad(lambda k: k.mint(nbf=now(40)), "not yet valid"),
    "nbf a string": bad(lambda k: k.mint(nbf="yesterday"), "Claim 'nbf' must be"),
    "iat in 40 s": bad(lambda k: k.mint(iat=now(40)), "issued in the future"),
    "typ of an ID token": bad(lambda k: k.mint(typ="ID"), TYPE, "rfc8725-mutually-exclusive"),
    "typ of a refresh token": bad(lambda k: k.mint(typ="Refresh"), TYPE),
    "typ of an offline token": bad(lambda k: k.mint(typ="Offline"), TYPE),
    "typ of a logout token": bad(lambda k: k.mint(typ="Logout", header={"typ": "logout+jwt"}), TYPE),
    "typ of an ID token under at+jwt": bad(lambda k: k.mint(typ="ID", header={"typ": "at+jwt"}), TYPE),
    "typ missing": bad(lambda k: k.mint(typ=None), TYPE),
    "typ a list": bad(lambda k: k.mint(typ=["Bearer"]), TYPE),
    "header typ missing": bad(lambda k: k.mint(header={"typ": None}), TYPE),
    "header typ of something else": bad(lambda k: k.mint(header={"typ": "dpop+jwt"}), TYPE, "rfc9068-typ-verified"),
    "scope a list": bad(lambda k: k.mint(scope=["notes:read"]), NOT_A_STRING),
    "scope a number": bad(lambda k: k.mint(scope=1), NOT_A_STRING),
    "azp a number": bad(lambda k: k.mint(azp=1), NOT_A_STRING),
}

REFUSED: Final[Mapping[str, BadToken]] = {**_NOT_A_SIGNED_JWT, **_SIGNATURE, **_CLAIMS}

ACCEPTED: Final[Mapping[str, Mint]] = {
    "as Keycloak makes them": lambda k: k.mint(),
    "aud a string": lambda k: k.mint(aud=k.resource),
    "aud the client id": lambda k: k.mint(aud=[CLIENT_ID, "account"]),
    "RFC 9068, at+jwt": lambda k: k.mint(typ=None, header={"typ": "at+jwt"}),
    "RFC 9068, application/at+jwt in another case": lambda k: k.mint(typ=None, header={"typ": "application/AT+JWT"}),
    "Keycloak's typ besides at+jwt": lambda k: k.mint(header={"typ": "at+jwt"}),
    "exp 29 s ago": lambda k: k.mint(exp=now(-28)),
    "nbf in 29 s": lambda k: k.mint(nbf=now(29)),
    "iat in 29 s": lambda k: k.mint(iat=now(29)),
    "exp with a fraction": lambda k: k.mint(exp=time.time() + 60),
    "without iat": lambda k: k.mint(iat=None),
    "jku of an attacker, signed by the issuer": lambda k: k.mint(header={"jku": EVIL}),
}
