"""vCards as other programs write them."""

from typing import Final

_PIXEL: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

APPLE: Final = f"""BEGIN:VCARD
VERSION:3.0
PRODID:-//Apple Inc.//macOS 15.1//EN
N:Example;Ann;Maria;Dr.;
FN:Dr. Ann Maria Example
ORG:Example\\, Inc.;Sales;
TITLE:Buyer
EMAIL;type=INTERNET;type=HOME;type=pref:ann@example.org
item1.EMAIL;type=INTERNET:ann@work.example
item1.X-ABLabel:_$!<Other>!$_
TEL;type=CELL;type=VOICE;type=pref:+49 170 1234567
item2.TEL:+49 221 1
item2.X-ABLabel:Hotline
item3.ADR;type=HOME;type=pref:;;1 Main St\\nBack door;Cologne;;50667;Germany
item3.X-ABADR:de
NOTE:First line\\nSecond\\, with a comma\\; and more\\n
item4.URL;type=pref:https://example.org/ann
item4.X-ABLabel:_$!<HomePage>!$_
BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-14
X-ABShowAs:COMPANY
PHOTO;ENCODING=b;TYPE=PNG:{_PIXEL[:50]}
 {_PIXEL[50:]}
REV:2030-09-01T08:00:00Z
UID:theirs
END:VCARD
"""

GOOGLE: Final = """BEGIN:VCARD
VERSION:3.0
FN:Ann Example
N:Example;Ann;;;
EMAIL;TYPE=INTERNET;TYPE=HOME:ann@example.org
TEL;TYPE=X-Google Voice:+1 555 0100
item1.TEL:+1 555 0101
item1.X-ABLabel:grandCentral
ADR;TYPE=WORK:;;1600 Amphitheatre Pkwy;Mountain View;CA;94043;US;1600 Amphitheatre Pkwy\\nMountain View
ORG:Example;Research
TITLE:
BDAY:1970-03-14
item2.URL:http\\://www.google.com/profiles/ann
item2.X-ABLabel:PROFILE
CATEGORIES:myContacts,starred
NOTE:  a note with blanks around
UID:theirs
END:VCARD
"""

OUTLOOK: Final = """BEGIN:VCARD
VERSION:3.0
PRODID:-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN
REV:20300901T080000Z
UID:theirs
N;LANGUAGE=de;CHARSET=utf-8:Beispiel;Änne;;Frau;
FN;CHARSET=utf-8:Änne Beispiel
ORG:Beispiel AG
TITLE;LANGUAGE=de:Einkäuferin
NOTE:\\n
TEL;TYPE=WORK,VOICE:0221 / 1234-0
TEL;TYPE=WORK;TYPE=FAX:0221 / 1234-99
ADR;TYPE=WORK;LABEL="Hauptstr. 1
 , Köln":;;Hauptstr. 1;Köln;;50667;Deutschland
X-MS-OL-DEFAULT-POSTAL-ADDRESS:2
URL;TYPE=WORK:http://www.beispiel.example/a b
ROLE:Einkauf
BDAY:19700314
EMAIL;PREF;INTERNET:aenne@beispiel.example
X-MS-IMADDRESS:aenne
X-MS-OL-DESIGN;CHARSET=utf-8:<card xmlns="http://schemas.microsoft.com/office/outlook/12/electronicbusinesscards"/>
END:VCARD
"""

THUNDERBIRD: Final = """BEGIN:VCARD
VERSION:4.0
N:Example;Ann;;;
FN:Ann Example
NICKNAME:Annie,Anna
EMAIL;PREF=1;TYPE=home:ann@example.org
EMAIL;TYPE="work,x-second":ann@work.example
TEL;VALUE=TEXT;TYPE=cell:+49 170 1234567
TEL;VALUE=URI;TYPE="voice,home":tel:+49-221-1;ext=5
ADR;TYPE=home:;Apt. 4;1 Main St;Cologne;NRW;50667;Germany
BDAY;VALUE=DATE:--0314
ANNIVERSARY;VALUE=DATE:20000229
IMPP:xmpp:ann@example.org
X-CUSTOM1;VALUE=TEXT:kept
TZ;VALUE=TEXT:Europe/Berlin
URL;VALUE=URI:https://example.org/?a=1\\,2
UID:theirs
END:VCARD
"""

EVOLUTION: Final = """BEGIN:VCARD
VERSION:3.0
URL:www.example.org
CALURI:https://example.org/cal
TITLE:Buyer
ROLE:
X-EVOLUTION-MANAGER:Bob
X-EVOLUTION-FILE-AS:Example\\, Ann
NICKNAME:Annie
CATEGORIES:Friends,Work
CATEGORIES:Swimming
EMAIL;TYPE=WORK;X-EVOLUTION-UI-SLOT=1:ann@example.org
TEL;TYPE="WORK,VOICE";X-EVOLUTION-UI-SLOT=1;X-EVOLUTION-E164=2211,"+49":0221 1
LABEL;TYPE=HOME:1 Main St\\nCologne
ADR;TYPE=HOME:;;1 Main St;Cologne;;50667;
ORG:Example;Sales;North
BDAY:1970-03-14T00:00:00Z
NOTE:Line one\\n\\nLine three
N:Example;Ann;;;
FN:Ann Example
UID:theirs
REV:2030-09-01T08:00:00Z(7)
END:VCARD
"""

DAVX5: Final = """BEGIN:VCARD
VERSION:4.0
PRODID:+//IDN bitfire.at//DAVx5/4.4.3-ose ez-vcard/0.12.1
UID:urn:uuid:theirs
FN:Ann Example
N:Example,Beispiel;Ann,Anna;Maria;Dr.,Prof.;jun.
NICKNAME;TYPE=short-name:Annie
TEL;TYPE=x-main;PREF=1:+492211
group1.TEL;TYPE=cell,x-custom:+49170
group1.X-ABLabel:Diver's phone
EMAIL;TYPE=home:"ann"@example.org
ORG;SORT-AS="Example":Example;Sales
ADR;TYPE=home;LABEL="1 Main St^nCologne":;;1 Main St;Cologne;;50667;Germany
URL:https://example.org
RELATED;TYPE=friend;VALUE=text:Bob
BDAY;VALUE=text:circa 1800
CATEGORIES:Friends\\, close,Work
KIND:individual
NOTE:a\\nb
REV:20300901T080000Z
END:VCARD
"""

NEXTCLOUD: Final = """BEGIN:VCARD
VERSION:4.0
PRODID:-//Nextcloud Contacts v8.0
UID:theirs
FN:Friends
KIND:group
MEMBER:urn:uuid:12345678-1234-4234-8234-123456789abc
MEMBER:mailto:bob@example.org
N:;Friends;;;
CLOUD:bob@example.org
X-SOCIALPROFILE;TYPE=DIASPORA:bob
REV:20300901T080000Z
END:VCARD
"""

CARDS: Final = {
    "Apple": APPLE,
    "Google": GOOGLE,
    "Outlook": OUTLOOK,
    "Thunderbird": THUNDERBIRD,
    "Evolution": EVOLUTION,
    "DAVx5": DAVX5,
    "Nextcloud": NEXTCLOUD,
}
