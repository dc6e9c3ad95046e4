"""Replies with words of other languages, and with abbreviations and signs in front of a number: (reference, reply)."""

COUNTED = [
    ("18", "18美元"), ("18", "18公里"), ("18", "18分钟"), ("12", "12厘米"),
    ("4", "4 pommes"), ("4", "4 Äpfel"), ("4", "4 manzanas"), ("4", "4 яблока"), ("4", "4 个苹果"), ("4", "4個です"),
    ("4", "4 Jahre"), ("4", "4 años"), ("4", "4 лет"), ("4", "4年"), ("4", "4 Stück"), ("4", "4 fois"),
    ("4", "4 novels"), ("4", "4 settlers"), ("4", "4 ventures"), ("4", "4 decent seats"),
    ("4", "4 millionaires"), ("4", "4 dried apples"), ("4", "4 more apples"), ("4", "4 cents"), ("4", "4 quarts"),
    ("40000", "4万"), ("4", "4 apples a day"),
]  # fmt: skip
"""What is counted in another language, and English words that begin like a number of one."""

OPEN = [
    # parts and multiples behind the number
    ("4", "4 et demi"), ("4", "4 et demie"), ("4", "4 ein halb"), ("4.5", "4 einhalb"), ("4", "4 Viertel"),
    ("1", "4 Viertel"), ("4", "4 tiers"), ("4", "4 cinquièmes"), ("4", "4 Zehntel"), ("4", "4 décimos"),
    ("4", "4 centésimos"), ("4", "4 y medio"), ("4", "4 y media"), ("4.5", "4 e meio"), ("4", "4 e mezzo"),
    ("4", "4 и половина"), ("4", "4 с половиной"), ("4", "4半"), ("4", "4个半"), ("4", "4分之1"), ("4", "4 pół"),
    ("4", "4 douzaines"), ("4", "4 Dutzend"), ("4", "4 docenas"), ("4", "4 dozzine"), ("4", "4 dúzias"),
    ("4", "4 десятка"), ("4", "4 дюжины"), ("4", "4 hundert"), ("4", "4 Hundert"), ("4", "4 tausend"),
    ("4", "4 milliards"), ("4", "4 mil"), ("4000", "4 mil"), ("4", "4 mila"), ("4", "4 miles de millones"),
    ("4", "4 Mio."), ("4000000", "4 Mio."), ("4", "4 Mrd."), ("2000", "2 Tsd. Euro"), ("2", "2 Tsd. Euro"),
    ("4", "4 тыс."), ("4", "4 млн"), ("4", "4 тысячи"), ("4", "4 tysiące"), ("4", "4 tusen"), ("4", "4 bin"),
    ("4", "4 ribu"), ("4", "4 दर्जन"), ("4", "4 만"), ("4", "4 دزينة"), ("4", "4打"), ("4", "4十"),
    # more, less, about, losses, dates
    ("4", "4 less"), ("4", "4 fewer apples"), ("4", "4 more"), ("4", "4 mehr"), ("4", "4 weniger"), ("4", "4 de moins"),
    ("4", "4 menos"), ("4", "4 meno"), ("4", "4 меньше"), ("4", "4 unter null"), ("4", "4 sous zéro"),
    ("4", "a loss of 4 dollars"), ("-4", "a loss of 4 dollars"), ("4", "a deficit of 4"), ("4", "4 dollars in debt"),
    ("4", "4 points behind"), ("4", "4 oder"), ("4", "4 Quadrat"), ("4", "4 au carré"), ("4", "4 Fakultät"),
    ("4", "4 doppelt"), ("4", "4. Mai"), ("4", "4 mai"), ("4", "4 de mayo"), ("4", "4 мая"), ("4", "4月"), ("4", "4点"),
    ("4", "4 Uhr"), ("4", "4 Std."), ("4", "4 Stk."), ("4", "4 ans"), ("3", "3 Fr."),
    # signs and abbreviations before the number
    ("4", "~4"), ("4", "~ 4"), ("4", "ca. 4"), ("4", "No. 4"), ("4", "Nr. 4"), ("4", "N° 4"), ("4", "№ 4"), ("4", "#4"),
    ("4", "minus vier"), ("-4", "moins 4"), ("4", "moins 4"),
    # numbers that are words
    ("12", "zwölf"), ("12", "douze"), ("5", "cinco"), ("5", "cinque"), ("4.5", "viereinhalb"), ("21", "vingt-et-un"),
    ("21", "ventuno"), ("24", "vierundzwanzig"), ("12", "doce"), ("12", "двенадцать"), ("12", "十二"), ("4", "四"),
    ("5", "四"), ("4000", "四千"), ("1", "eins"), ("1", "une"), ("twelve", "zwölf"), ("4", "четыре"), ("4", "넷"),
    ("yes", "oui"), ("yes", "ja"), ("true", "wahr"), ("no", "нет"), ("no solution", "keine Lösung"),
    # commas and points
    ("1,0,0", "₹1,00,000"), ("1,0,0", "1,00,000"), ("(1.5, 2)", "(1,5 ; 2)"), ("1.5, 2", "1,5; 2"),
    (r"\{1.5, 2\}", r"\{1,5; 2\}"),
    ("1.25", "1.250"), ("1.25", "1.250 €"), ("1250", "1.250 €"),
    # amounts about the number
    ("3", "3以上"), ("3", "3ダース"), ("3", "3左右"), ("3", "3 half-dozens"),
    # letters whose case may matter or not
    ("b", "(B)"), ("B", "b"),
]  # fmt: skip
"""What may be read in two ways, or in none that we know."""
