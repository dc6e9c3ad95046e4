"""Words of other languages that are numbers, parts or multiples of them, or that change the number beside them.

No translation: a text with such a word is left as it is, and then says nothing that could be compared. The lists need
not be exact, because a word too many costs an unknown verdict, and one too few a false one; but they stay clear of
English words that stand behind numbers (novels, settlers, ventures, millionaires).
"""

from __future__ import annotations

import re

# Beginnings of words, of four letters or more.
_STEMS_OF = {
    "de": "zwei drei vier fünf sech sieb acht neun zehn zwölf zwanzig halb hälfte drittel zehntel hundert tausend "
    "milliard miliard dutzend",
    "fr": "deux trois quatr cinq huit neuf douz treiz quatorz quinz seiz vingt trent quarant cinquant soixant septant "
    "octant nonant moitié dixième centième millième dizaine centaine",
    "es": "cuatro cinco seis siete nueve diez trece catorce quince veint treinta cuarenta sesenta setenta ochenta "
    "noventa doscient trescient quinient mitad tercio cuarto décim centésim milésim docena decena centena millar",
    "it": "quattro cinque dieci undici dodici tredici quindici sedici diciass diciott diciann ventid ventit ventiq "
    "ventic ventis ventin ventun ventot trenta quaranta cinquanta sessanta settanta ottanta novanta mezz metà terzo "
    "terzi decimo decimi dozzin decina decine centinai migliai",
    "pt": "dois duas três quatro sete oito vinte trinta quarenta cinquenta oitenta terço dúzia metade milhar milhão "
    "milhões bilhão bilhões",
    "nl": "twee vijf zeven negen tien twaalf dertien veertien twintig dertig honderd duizend helft dozijn kwart derde "
    "miljoen tiental",
    "ru": "ноль один одна одно четыр пять шест семь восем девят десят двадц тридц сорок двест трист тысяч миллион "
    "миллиард полов полтор трет четверт дюжин сотн сотых",
    "others": "jeden jedna cztery pięć sześć siedem osiem dziewięć tysiąc tysięc połow tusen tuhat tuhan puoli "
    "setengah tisíc milyon miljon yarım buçuk nghìn triệu seperempat",
}
_STEMS = tuple(stem for text in _STEMS_OF.values() for stem in text.split())
# Whole words: abbreviations, and those with which English words begin.
_WHOLE_TEXT = (
    "elf eins cent mil mille mila ocho nove otto sette doce drie demi demie tres tiers cien ciento cento venti onze "
    "doze treze dez zes yüz bin medio media medios medias meio meia millon millón millones millionen milioni ribu juta "
    "halv halva trzy pół tsd mio mrd mill mln mlrd mrds bln tys тыс млн млрд dtzd dz doz schock gros zéro cero null "
    "nul nada пол два две три сто quinto"
)
_WHOLE = frozenset(_WHOLE_TEXT.split())
_ARTICLES_TEXT = "ein eine einer un une uno una um uma een due dos tre sei seis six dix once quart quarts und"
_ARTICLES = frozenset(_ARTICLES_TEXT.split())
"""Numbers when they stand alone; beside a number they are articles, units or English."""
_ENDINGS = ("zig", "ßig", "hundert", "tausend", "einhalb", "honderd", "duizend")
"""What a number of one word ends in: einundzwanzig, eineinhalb."""

_CHANGES = {
    "de": "weniger minder etwa ungefähr knapp beinahe nahezu zirka mindestens höchstens wenigstens über unter bis "
    "zwischen kein keine keinen nie niemals vielleicht entweder doppelt dreifach quadrat hoch wurzel fakultät geteilt "
    "durch verlust schulden defizit uhr januar februar märz mai juni juli oktober dezember",
    "fr": "moins presque quasiment approximativement sous dessous entre jusqu jamais aucun aucune peut-être carré cube "
    "racine factorielle divisé perte dette janvier février avril juin juillet août septembre octobre novembre décembre",
    "es": "menos casi aproximadamente alrededor bajo entre hasta falso nunca ninguno quizá quizás cuadrado cubo raíz "
    "dividido pérdida deuda enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "meno quasi sotto tra fra fino nessuno forse quadrato radice diviso perdita debito gennaio febbraio maggio "
    "giugno luglio settembre ottobre dicembre",
    "pt": "quase abaixo até nenhum talvez quadrado raiz prejuízo dívida",
    "nl": "ongeveer bijna minstens hoogstens onder tussen niet geen misschien kwadraat wortel verlies",
    "ru": "меньше менее больше более почти примерно приблизительно ниже выше между никогда возможно квадрат корень "
    "факториал минус убыток долг января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}
_CHANGERS = frozenset(word for text in _CHANGES.values() for word in text.split())
_HAN = re.compile(
    "[半百千万萬亿億兆打负負零〇一二三四五六七八九十]|分之|ではない|じゃない|不是|[约約多余餘几幾]|以上|以下|以内|左右|未満|不到|超|ダース|グロス|^(?:月|日|号|號|点|點|时|時)"
)
_OTHER_SCRIPT = re.compile(
    r"[^\W\d_a-zA-Z\u00aa-\u024f\u0370-\u03ff\u0400-\u04ff\u1e00-\u1eff\u3040-\u30ff\u4e00-\u9fff]"
)
"""Letters beyond those of Latin, Greek, Cyrillic, Kana and Han, of which no list here knows a word."""
_AFFIRMATIONS_TEXT = (
    "yes no true false oui non vrai faux ja nein wahr falsch richtig sí si verdadero falso cierto vero sim não nee "
    "waar onwaar да нет верно неверно истина ложь 不对 正确 错误 はい いいえ 正しい"
)
AFFIRMATIONS = frozenset(_AFFIRMATIONS_TEXT.split())
"""Yes, no, true and false, which one language says so and another otherwise."""


def changes_abroad(word: str) -> bool:
    """Whether a word in small letters changes, in another language, what the number beside it says."""
    word = word.rstrip(".")
    known = word in _WHOLE or word in _CHANGERS or word.startswith(_STEMS) or word.endswith(_ENDINGS)
    return known or (not word.isascii() and (_HAN.search(word) or _OTHER_SCRIPT.search(word)) is not None)


def is_number_abroad(word: str) -> bool:
    """Whether a word in small letters may be a number in another language."""
    return word.rstrip(".") in _ARTICLES or changes_abroad(word)
