"""Defines classes of letters, as bodies of bracket expressions that Python's `re` and PostgreSQL read alike.

Fixed tables and not `\\w`, which differs by version and locale: what is stored under one rule would not be
found under another. Unassigned characters count as their neighbours do.
"""

# Scripts written without spaces (or, as Korean, with endings attached): Thai, Lao, Myanmar, Khmer, Han,
# Bopomofo, kana, Hangul, Yi, Tangut and other scripts of their neighbours.
UNSPACED = (
    r"\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf\u1000-\u103f\u1050-\u109f\u1100-\u11ff"
    r"\u1780-\u17d3\u17d7\u17dc-\u17dd\u1950-\u19df\u1a20-\u1a9f\u2e80-\u2fdf\u3005-\u3007\u3021-\u302f"
    r"\u3031-\u3035\u3038-\u303c\u3041-\u309f\u30a1-\u30fa\u30fc-\u318f\u31a0-\u31bf\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua48c\ua960-\ua97c\ua9e0-\ua9fe\uaa60-\uaadf\uac00-\ud7fb"
    r"\uf900-\ufaff\U00016fe0-\U00018cff\U0001aff0-\U0001b2ff\U00020000-\U000323af"
)
# Letters, marks and digits of all other scripts; after NFKD, so forms that it replaces are left out.
SPACED = (
    r"\u0030-\u0039\u0041-\u005a\u0061-\u007a\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02c1\u02c6-\u02d1\u02ec"
    r"\u02ee\u0300-\u0373\u0376-\u03f3\u03f7-\u0481\u0483-\u0559\u0560-\u0588\u0591-\u05bd\u05bf"
    r"\u05c1-\u05c2\u05c4-\u05c5\u05c7-\u05f2\u0610-\u061a\u0620-\u0669\u066e-\u06d3\u06d5-\u06dc"
    r"\u06df-\u06e8\u06ea-\u06fc\u06ff\u0710-\u07f5\u07fa-\u07fd\u0800-\u082d\u0840-\u085b\u0860-\u0887"
    r"\u0889-\u088e\u0898-\u08e1\u08e3-\u0963\u0966-\u096f\u0971-\u09f1\u09f4-\u09f9\u09fc\u09fe-\u0a75"
    r"\u0a81-\u0aef\u0af9-\u0b6f\u0b71-\u0bf2\u0c00-\u0c6f\u0c78-\u0c7e\u0c80-\u0c83\u0c85-\u0d4e"
    r"\u0d54-\u0d78\u0d7a-\u0df3\u0e50-\u0e59\u0ed0-\u0ed9\u0f00\u0f18-\u0f19\u0f20-\u0f33\u0f35\u0f37"
    r"\u0f39\u0f3e-\u0f84\u0f86-\u0fbc\u0fc6\u1040-\u1049\u10a0-\u10fa\u10fd-\u10ff\u1200-\u135f"
    r"\u1369-\u138f\u13a0-\u13fd\u1401-\u166c\u166f-\u167f\u1681-\u169a\u16a0-\u16ea\u16ee-\u1734"
    r"\u1740-\u1773\u17e0-\u17f9\u180b-\u180d\u180f-\u193b\u1946-\u194f\u1a00-\u1a1b\u1aa7\u1ab0-\u1b59"
    r"\u1b6b-\u1b73\u1b80-\u1bf3\u1c00-\u1c37\u1c40-\u1c7d\u1c80-\u1cbf\u1cd0-\u1cd2\u1cd4-\u1ffc"
    r"\u20d0-\u20f0\u2132\u214e\u2180-\u2188\u24eb-\u24ff\u2776-\u2793\u2c00-\u2ce4\u2ceb-\u2cf3\u2cfd"
    r"\u2d00-\u2d67\u2d7f-\u2dff\u2e2f\u3248-\u324f\ua4d0-\ua4fd\ua500-\ua60c\ua610-\ua672\ua674-\ua67d"
    r"\ua67f-\ua6f1\ua717-\ua71f\ua722-\ua788\ua78b-\ua827\ua82c-\ua835\ua840-\ua873\ua880-\ua8c5"
    r"\ua8d0-\ua8f7\ua8fb\ua8fd-\ua92d\ua930-\ua953\ua980-\ua9c0\ua9cf-\ua9d9\uaa00-\uaa59\uaae0-\uaaef"
    r"\uaaf2-\uab5a\uab60-\uab68\uab70-\uabea\uabec-\uabf9\ufb1e\ufe00-\ufe2f\ufe73\U00010000-\U000100fa"
    r"\U00010107-\U00010133\U00010140-\U00010178\U0001018a-\U0001018b\U000101fd-\U0001039d"
    r"\U000103a0-\U000103cf\U000103d1-\U00010563\U00010570-\U00010855\U00010858-\U00010876"
    r"\U00010879-\U0001091b\U00010920-\U00010939\U00010980-\U00010a48\U00010a60-\U00010a7e"
    r"\U00010a80-\U00010ac7\U00010ac9-\U00010aef\U00010b00-\U00010b35\U00010b40-\U00010b91"
    r"\U00010ba9-\U00010eac\U00010eb0-\U00010f54\U00010f70-\U00010f85\U00010fb0-\U00011046"
    r"\U00011052-\U000110ba\U000110c2\U000110d0-\U0001113f\U00011144-\U00011173\U00011176-\U000111c4"
    r"\U000111c9-\U000111cc\U000111ce-\U000111da\U000111dc\U000111e1-\U00011237\U0001123e-\U000112a8"
    r"\U000112b0-\U0001144a\U00011450-\U00011459\U0001145e-\U000114c5\U000114c7-\U000115c0"
    r"\U000115d8-\U00011640\U00011644-\U00011659\U00011680-\U000116b8\U000116c0-\U0001173b"
    r"\U00011740-\U0001183a\U000118a0-\U00011943\U00011950-\U000119e1\U000119e3-\U00011a3e"
    r"\U00011a47-\U00011a99\U00011a9d\U00011ab0-\U00011c40\U00011c50-\U00011c6c\U00011c72-\U00011ef6"
    r"\U00011fb0-\U00011fd4\U00012000-\U0001246e\U00012480-\U00012ff0\U00013000-\U0001342e"
    r"\U00014400-\U00016a69\U00016a70-\U00016af4\U00016b00-\U00016b36\U00016b40-\U00016b43"
    r"\U00016b50-\U00016e96\U00016f00-\U00016f9f\U00018d00-\U00018d08\U0001bc00-\U0001bc99"
    r"\U0001bc9d-\U0001bc9e\U0001cf00-\U0001cf46\U0001d165-\U0001d169\U0001d16d-\U0001d172"
    r"\U0001d17b-\U0001d182\U0001d185-\U0001d18b\U0001d1aa-\U0001d1ad\U0001d242-\U0001d244"
    r"\U0001d2e0-\U0001d2f3\U0001d360-\U0001d378\U0001da00-\U0001da36\U0001da3b-\U0001da6c\U0001da75"
    r"\U0001da84\U0001da9b-\U0001e14e\U0001e290-\U0001e2f9\U0001e7e0-\U0001e959\U0001ec71-\U0001ecab"
    r"\U0001ecad-\U0001ecaf\U0001ecb1-\U0001ed2d\U0001ed2f-\U0001ed3d\U0001f10b-\U0001f10c"
    r"\U000e0100-\U000e01ef"
)
# Signs that belong to a word they touch: C++, C#, .env, node.js, snake_case, a/b, @name, $PATH, R&D, x=1.
SIGNS = r"+#._/\\@$:&~=%"
# Accents and points that are ignored, and invisible characters (soft hyphen, zero-width space).
UNSEEN = (
    r"\u00ad\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u065f\u0670"
    r"\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff"
)
