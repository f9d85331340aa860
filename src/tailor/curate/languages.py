"""Which language a text is in, from its script and its small words; no word on texts that do not tell.

A handful of words as `the`, `und`, `pour` and `você` are a quarter to a half of all running text, so that a sentence
of eight words tells its language (the method of Grefenstette 1995). What is shared by languages leaves several of
them. Written for the question whether an answer is in the language of its prompt: it would rather say nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict

NAMES = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "pt": "Portuguese",
    "nl": "Dutch",
    "sv": "Swedish",
    "da": "Danish",
    "no": "Norwegian",
    "pl": "Polish",
    "cs": "Czech",
    "ro": "Romanian",
    "fi": "Finnish",
    "hu": "Hungarian",
    "tr": "Turkish",
    "id": "Indonesian",
    "vi": "Vietnamese",
    "sh": "Croatian or Serbian",
    "ru": "Russian",
    "uk": "Ukrainian",
    "bg": "Bulgarian",
    "zh": "Chinese",
    "ja": "Japanese",
    "ko": "Korean",
    "ar": "Arabic",
    "fa": "Persian",
    "he": "Hebrew",
    "el": "Greek",
    "hi": "Hindi",
    "bn": "Bengali",
    "ta": "Tamil",
    "th": "Thai",
    "ka": "Georgian",
    "hy": "Armenian",
}

_WORDS = {
    "en": "the of and to in is that for it as was with be by on not he his but at are this have from or had an they"
    " which you were their one all we can has there been if would who what when will more no out so said its"
    " about than into them only other some could these two may then do any my now such like our over me even"
    " most after also did many your i she her him how where does should because very while here please thank"
    " just know need get want near located war per come am us die man art let y x com",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus"
    " er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber"
    " vor zur bis mehr durch man sein wurde sei ich du wir ihr mir mich dich uns euch kann können wenn was"
    " bitte hier ihre ihren ihnen möchte keine kein schon sehr gibt ja nein heute immer dieses diese dieser"
    " unter gut danke liegt leider helfen",
    "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec son"
    " cette sa aux ont ses mais comme ou leur été être fait même ces nous vous je tu elle ils elles où très"
    " votre notre mon ma mes c'est qu j ai suis avez peut bien tout tous sans si aussi merci bonjour quel"
    " quelle comment faut entre située désolé peux",
    "es": "de la que el en y a los del se las por un para con no una su al lo como más pero sus le ya o este sí"
    " porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante uno ni"
    " contra ese eso es está son fue ser tiene tengo yo tú usted mi cómo qué gracias puede hola cerca había"
    " estoy esto ella él siento puedo podemos bueno",
    "it": "di e il la che in un a per è una non sono con del si della da le i al come anche gli lo più ma dei nel"
    " alla ha delle ci questo mi se ne suo dal quando o essere nella sua ho tutti molto degli perché io lei"
    " lui noi voi cosa grazie puoi può sei c'è situato vicino questa quello dove cui dalla sul sulla dopo"
    " ancora già abbiamo dispiace posso possiamo buon",
    "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à"
    " seu sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois sem"
    " mesmo aos ter seus você nas me esse eles estão minha meu obrigado são fica onde num isto aqui porque olá"
    " pode perto desculpe posso bom",
    "nl": "de van het een en in is dat op te zijn voor met die niet aan er om ook als dan maar bij of uit nog naar"
    " heeft ze hij worden door wordt over ik je jij u wij we kan hebben geen deze wat dit was meer al tot zou"
    " mijn haar hun wel moet veel kunnen waar zoals heb bent zeer onze jouw uw hier graag alstublieft dank"
    " helaas goed",
    "sv": "och att det i en som är på av för med den till inte om ett har de jag var så men sig vi från kan när nu"
    " han eller hade vad efter skulle bara där också vid ut mycket här blir då mig du din hur finns någon alla"
    " mitt tack",
    "da": "og at det i en som er på af for med den til ikke om et har de jeg var så men sig vi fra kan når nu han"
    " eller havde hvad efter skulle kun hvor også ved ud meget her bliver mig du din hvordan findes nogle være"
    " blev hvis tak",
    "no": "og at det i en som er på av for med den til ikke om et har de jeg var så men seg vi fra kan når nå han"
    " eller hadde hva etter skulle bare hvor også ved ut mye her blir meg du din hvordan finnes noen være ble"
    " hvis takk",
    "pl": "i w na z do że się nie jest to o jak po od za co przez ale dla czy tak już są być był była tylko może"
    " jego jej ich ten ta który która które gdy ma oraz bardzo jestem mam proszę dziękuję przy pod można także"
    " gdzie mnie",
    "cs": "a v se na je že to s z do o i jak po za ve pro ale od jsem jsou by byl bylo být co nebo tak jako až když"
    " už jen může který která které má jeho také není této kde proč děkuji prosím velmi při mezi",
    "ro": "de și în la cu pe a că nu este o un din care pentru mai se ce sunt au dar fi sau prin ca după fost dacă"
    " îi le acest această eu tu el ea noi am ai foarte poate când unde mulțumesc avea lui lor",
    "fi": "ja on ei että se oli hän mutta kun joka ovat myös kuin tai jos niin ole sen minä sinä mitä voi hyvin"
    " tämä sitä vain kanssa jälkeen olen missä miten kiitos olla nyt ne siitä",
    "hu": "a az és hogy nem is egy van volt meg ez de csak már ha mint vagy el még azt ki én te ő mi kell lehet"
    " nagyon amely pedig szerint között után köszönöm hol miért ezt lesz minden",
    "tr": "ve bir bu için ile da de çok ne var gibi daha olarak olan mi ama kadar sonra ben sen biz siz o her değil"
    " şey en mı nasıl neden lütfen teşekkürler ya ise olduğu göre",
    "id": "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena ada mereka sudah atau"
    " seperti bisa oleh kami telah anda lebih adalah dia kita bahwa apa terima kasih sangat",
    "vi": "của và là có không được cho trong một các người đã với những này để khi đó về như tôi bạn nhưng cũng sẽ"
    " rất nhiều từ đến làm ở gì nào hãy",
    "sh": "i je u da se na su za od sa ne što koji kao ali to bi ili iz ja ti sam samo biti ako već jer bilo može"
    " koja koje također hvala gdje vrlo nije smo ste",
}
_MARKED = {  # letters that few languages have
    **dict.fromkeys("ß", ("de",)),
    **dict.fromkeys("äö", ("de", "sv", "fi")),
    **dict.fromkeys("ü", ("de", "tr")),
    **dict.fromkeys("å", ("sv", "da", "no")),
    **dict.fromkeys("øæ", ("da", "no")),
    **dict.fromkeys("ñ¿¡", ("es",)),
    **dict.fromkeys("íóú", ("es", "pt", "hu", "cs")),
    **dict.fromkeys("ãõ", ("pt",)),
    **dict.fromkeys("ç", ("fr", "pt", "tr")),
    **dict.fromkeys("èê", ("fr", "it")),
    **dict.fromkeys("é", ("fr", "es", "pt")),
    **dict.fromkeys("œûë", ("fr",)),
    **dict.fromkeys("òì", ("it",)),
    **dict.fromkeys("łąężśź", ("pl",)),
    **dict.fromkeys("řěů", ("cs",)),
    **dict.fromkeys("čšž", ("cs", "sh")),
    **dict.fromkeys("ćđ", ("sh",)),
    **dict.fromkeys("őű", ("hu",)),
    **dict.fromkeys("ğış", ("tr",)),
    **dict.fromkeys("ășț", ("ro",)),
    **dict.fromkeys("ơưạảấầậắặẹếềệịọốồộớờợụứừự", ("vi",)),
}
_SCRIPTS = re.compile(
    "(?P<latin>[A-Za-z\u00c0-\u024f\u1e00-\u1eff])|(?P<kana>[\u3040-\u30ff])|(?P<han>[\u3400-\u9fff\U00020000-\U0002ffff])"
    "|(?P<ko>[\uac00-\ud7af\u1100-\u11ff])|(?P<cyrillic>[\u0400-\u052f])|(?P<arabic>[\u0600-\u06ff\u0750-\u077f])"
    "|(?P<he>[\u0590-\u05ff])|(?P<el>[\u0370-\u03ff\u1f00-\u1fff])|(?P<hi>[\u0900-\u097f])|(?P<bn>[\u0980-\u09ff])"
    "|(?P<ta>[\u0b80-\u0bff])|(?P<th>[\u0e00-\u0e7f])|(?P<ka>[\u10a0-\u10ff])|(?P<hy>[\u0530-\u058f])"
)
SCRIPTS = {  # of the languages that are not written in Latin letters
    "zh": ("han",),
    "ja": ("kana", "han"),
    **dict.fromkeys(("ru", "uk", "bg"), ("cyrillic",)),
    **dict.fromkeys(("ar", "fa"), ("arabic",)),
    **{code: (code,) for code in ("ko", "he", "el", "hi", "bn", "ta", "th", "ka", "hy")},
}
_LETTERS = re.compile(r"[^\W\d_]+")
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+|(?<=[。！？])")
_TEXT = 240  # characters that are looked at
_ENGLISH = 4  # different small words that no other language has: enough for English, and quickly counted
_FEWEST = 2.5  # different small words that it takes; a letter that few languages have counts for half of one
_SHARE = 0.2  # of the words
_AHEAD = 1.8  # times the next language

_words: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
for _code, _list in _WORDS.items():
    for _word in dict.fromkeys(_list.split()):
        _words[_word] += (_code,)
_english = {word for word, codes in _words.items() if codes == ("en",)}
_of_english = {word for word, codes in _words.items() if "en" in codes and len(word) > 1}
_foreign = {word for word, codes in _words.items() if "en" not in codes}


def language(text: str) -> str | None:
    """The code of the language that a text is in (see NAMES); None where it does not tell."""
    told = languages(text)
    return told[0] if len(told) == 1 else None


def languages(text: str) -> tuple[str, ...]:
    """The codes of the languages that a text may be in, the likeliest first; none where it does not tell."""
    text = text[:_TEXT]
    if not text.isascii():
        told = _by_script(text)
        if told != "latin":
            return (told,) if told else ()
    lower = text.lower()
    pieces = set(lower.split())
    english = len(_english & pieces)
    if english >= _ENGLISH:
        return ("en",)
    if text.isascii() and len(_foreign & pieces) < 2:  # most texts end here or above
        return ("en",) if len(_of_english & pieces) >= _FEWEST else ()
    return _by_words(lower)


def _by_words(lower: str) -> tuple[str, ...]:
    """The languages by the small words and the marked letters of a text."""
    words = set(_LETTERS.findall(lower))
    scores: defaultdict[str, float] = defaultdict(float)
    for word in words:
        if len(word) > 1 or not word.isascii() or word in "aeoyiu":
            for code in _words.get(word, ()):
                scores[code] += 1.0
    for letter in () if lower.isascii() else set(lower):
        for code in _MARKED.get(letter, ()):
            scores[code] += 0.5
    if not scores:
        return ()
    order = sorted(scores, key=lambda code: (-scores[code], code))
    best = scores[order[0]]
    if best < max(_FEWEST, _SHARE * len(words)):
        return ()
    return tuple(code for code in order if scores[code] * _AHEAD >= best)


def of_one(text: str) -> bool:
    """Whether a text is in one language for sure, quickly: plain letters, English words and no others."""
    return text.isascii() and len(_foreign.intersection(text.lower().split())) < 2


def small_words(text: str, code: str = "", but: tuple[str, ...] = ()) -> int:
    """How many different small words of a language a text has that those of `but` have not; of any one without it."""
    words = (_words.get(word, ()) for word in set(_LETTERS.findall(text.lower())) if len(word) > 1)
    return sum((code in codes if code else bool(codes)) and set(but).isdisjoint(codes) for codes in words)


def plainly_foreign(text: str) -> bool:
    """Whether a text that does not tell its language is not English at least: accented words and no small one."""
    accented = [word for word in _LETTERS.findall(text) if word[0].islower() and not word.isascii()]
    return len(accented) > 1 and _of_english.isdisjoint(_LETTERS.findall(text.lower()))


def script(text: str) -> dict[str, int]:
    """How many letters of each script a text has."""
    counts: defaultdict[str, int] = defaultdict(int)
    for match in _SCRIPTS.finditer(text):
        counts[str(match.lastgroup)] += 1
    return counts


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text."""
    return [part for part in _SENTENCE.split(text) if part.strip()]


def _by_script(text: str) -> str | None:
    """The language by the script that most letters are of; `latin` where the words have to tell."""
    counts = script(text)
    if not counts:
        return None
    east = counts["kana"] + counts["han"] + counts["ko"]
    if 2 * east > counts["latin"] / 3 and east >= 2:  # one such letter says as much as three
        if counts["kana"] * 10 >= counts["han"] and counts["kana"]:
            return "ja"
        return "ko" if counts["ko"] > counts["han"] else "zh"
    most = max(counts, key=counts.__getitem__)
    if counts[most] < 4:
        return None
    if most == "cyrillic":
        letters = set(text.lower())
        return "uk" if letters & set("іїєґ") else "ru" if letters & set("ыэё") or not letters & set("ъ") else "bg"
    if most == "arabic":
        return "fa" if set(text) & set("پچژگ") else "ar"
    return most
