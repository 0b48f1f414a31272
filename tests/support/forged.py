"""Tokens that the server must refuse or accept, by a name for each case (RFC 6750, 7519, 8725, 9068)."""

import hmac
import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Final

from joserfc.jwk import ECKey, Key, OKPKey

from tests.support.minting import Minter, signed

CLIENT_ID: Final = "mcp-server"
"""The configured client id, which is a valid audience like the server's URL."""

Mint = Callable[[Minter], str]

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


NOT_A_SIGNED_JWT: Final[Mapping[str, Mint]] = {
    "empty": lambda _: "",
    "garbage": lambda _: "garbage",
    "only dots": lambda _: "..",
    "five parts, as a JWE": lambda k: f"{k.mint()}.AAAA.AAAA",
    "not base64": lambda _: "!!!.!!!.!!!",
    "not ASCII": lambda _: "é.è.ê",
    "in UTF-16": in_utf16,
    "NUL": lambda k: k.mint() + "\0",
    "header is a list": lambda k: forged(k, "[]"),
    "header is empty": lambda k: forged(k, "{}"),
    "header is nested without end": lambda k: forged(k, '{"alg":"RS256","kid":' + "[" * 100_000),
    "header is too long": lambda k: k.mint(header={"x5u": "https://attacker.test/" + "a" * 1000}),
    "payload is too long": lambda k: k.mint(comment="a" * 200_000),
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


SIGNATURE: Final[Mapping[str, Mint]] = {
    "alg none, no signature": lambda k: k.mint(header={"alg": "none"}).rpartition(".")[0] + ".",
    "alg none, some signature": lambda k: k.mint(header={"alg": "none"}),
    "alg None in another case": lambda k: k.mint(header={"alg": "nOnE"}).rpartition(".")[0] + ".",
    "alg missing": lambda k: k.mint(header={"alg": None}),
    "alg is a list": lambda k: k.mint(header={"alg": ["RS256"]}),
    "alg of another family": lambda k: k.mint(header={"alg": "ES256"}),
    "HS256 with the public key as secret": hs256,
    "HS256 with the modulus as secret": hs256_with_octets,
    "EdDSA over an RSA key's name": signed_by("EdDSA", ATTACKERS_ED25519_KEY),
    "EdDSA by Ed448 over an RSA key's name": signed_by("EdDSA", ATTACKERS_ED448_KEY),
    "EdDSA by its later name": signed_by("Ed25519", ATTACKERS_ED25519_KEY),
    "EdDSA with a signature of zeros": lambda k: (
        k.mint(header={"alg": "EdDSA"}).rpartition(".")[0] + "." + urlsafe_b64encode(bytes(64)).decode().rstrip("=")
    ),
    "PS256 with a key for RS256": lambda k: k.mint(header={"alg": "PS256"}),
    "alg of a curve that Keycloak has not": lambda k: k.mint(header={"alg": "ES256K"}),
    "alg is a sentence": lambda k: k.mint(header={"alg": "RS256: sign in at https://attacker.test"}),
    "alg is empty": lambda k: k.mint(header={"alg": ""}),
    "another key under the name of ours": lambda k: k.mint(key=k.foreign_key),
    "signature cut off": lambda k: k.mint().rpartition(".")[0] + ".",
    "signature of another token": lambda k: k.mint().rpartition(".")[0] + "." + k.mint(sub="bob").rpartition(".")[2],
    "kid missing": lambda k: k.mint(header={"kid": None}),
    "kid empty": lambda k: k.mint(header={"kid": ""}),
    "kid is a number": lambda k: k.mint(header={"kid": 7}),
    "kid is a list": lambda k: k.mint(header={"kid": [k.signing_key.kid]}),
    "kid unknown": lambda k: k.mint(header={"kid": "no-such-key"}),
    "kid like a path": lambda k: k.mint(header={"kid": "../../../../dev/null"}),
    "kid like SQL": lambda k: k.mint(header={"kid": "' UNION SELECT 'key"}),
    "jku of an attacker": lambda k: k.mint(key=k.foreign_key, header={"jku": EVIL}),
    "x5u of an attacker": lambda k: k.mint(key=k.foreign_key, header={"x5u": EVIL}),
    "jwk of an attacker": attackers_jwk,
    "crit, unknown": lambda k: k.mint(header={"crit": ["exp"], "exp": 1}),
    "crit, unencoded payload": lambda k: k.mint(header={"crit": ["b64"], "b64": False}),
    "crit, a number": lambda k: k.mint(header={"crit": 5}),
    "crit, nested lists": lambda k: k.mint(header={"crit": [[]]}),
    "payload is not JSON": lambda k: forged(k, json.dumps({"alg": "RS256", "kid": k.signing_key.kid}), payload="hello"),
    "payload is a list": lambda k: forged(k, json.dumps({"alg": "RS256", "kid": k.signing_key.kid}), payload="[]"),
}

CLAIMS: Final[Mapping[str, Mint]] = {
    "iss missing": lambda k: k.mint(iss=None),
    "iss of another realm": lambda k: k.mint(iss=k.issuer.rpartition("/")[0] + "/master"),
    "iss with a slash": lambda k: k.mint(iss=f"{k.issuer}/"),
    "iss, a list with ours": lambda k: k.mint(iss=[k.issuer]),
    "aud missing": lambda k: k.mint(aud=None),
    "aud empty": lambda k: k.mint(aud=""),
    "aud an empty list": lambda k: k.mint(aud=[]),
    "aud account": lambda k: k.mint(aud="account"),
    "aud nextcloud alone": lambda k: k.mint(aud="nextcloud"),
    "aud a prefix of ours": lambda k: k.mint(aud=k.resource[:-1]),
    "aud longer than ours": lambda k: k.mint(aud=f"{k.resource}/admin"),
    "aud in another case": lambda k: k.mint(aud=k.resource.upper()),
    "aud with a slash": lambda k: k.mint(aud=f"{k.resource}/"),
    "aud with another port": lambda k: k.mint(aud=re.sub(r":\d+", ":1", k.resource)),
    "aud with another scheme": lambda k: k.mint(aud=k.resource.replace("http:", "https:")),
    "aud with all in one string": lambda k: k.mint(aud=f"{k.resource} nextcloud"),
    "aud a number": lambda k: k.mint(aud=5),
    "aud a list of objects": lambda k: k.mint(aud=[{"url": k.resource}]),
    "aud an object": lambda k: k.mint(aud={k.resource: True}),
    "sub missing": lambda k: k.mint(sub=None),
    "sub empty": lambda k: k.mint(sub=""),
    "sub a number": lambda k: k.mint(sub=5),
    "exp missing": lambda k: k.mint(exp=None),
    "exp 31 s ago": lambda k: k.mint(exp=now(-31)),
    "exp a day ago": lambda k: k.mint(exp=now(-86_400)),
    "exp a string": lambda k: k.mint(exp=str(now(300))),
    "exp true": lambda k: k.mint(exp=True),
    "exp infinite": lambda k: k.mint(exp=float("inf")),
    "exp not a number": lambda k: k.mint(exp=float("nan")),
    "nbf in 40 s": lambda k: k.mint(nbf=now(40)),
    "nbf a string": lambda k: k.mint(nbf="yesterday"),
    "iat in 40 s": lambda k: k.mint(iat=now(40)),
    "typ of an ID token": lambda k: k.mint(typ="ID"),
    "typ of a refresh token": lambda k: k.mint(typ="Refresh"),
    "typ of an offline token": lambda k: k.mint(typ="Offline"),
    "typ of a logout token": lambda k: k.mint(typ="Logout", header={"typ": "logout+jwt"}),
    "typ of an ID token under at+jwt": lambda k: k.mint(typ="ID", header={"typ": "at+jwt"}),
    "typ missing": lambda k: k.mint(typ=None),
    "typ a list": lambda k: k.mint(typ=["Bearer"]),
    "header typ missing": lambda k: k.mint(header={"typ": None}),
    "header typ of something else": lambda k: k.mint(header={"typ": "dpop+jwt"}),
    "scope a list": lambda k: k.mint(scope=["notes:read"]),
    "scope a number": lambda k: k.mint(scope=1),
    "azp a number": lambda k: k.mint(azp=1),
}

REFUSED: Final[Mapping[str, Mint]] = {**NOT_A_SIGNED_JWT, **SIGNATURE, **CLAIMS}

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
