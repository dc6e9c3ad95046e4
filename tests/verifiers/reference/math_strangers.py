"""What strangers asked after all other tables passed, by kind: (reference, reply)."""

CLEAR = [
    # emphasis, pictures, a unit outside of the dollars or behind the box
    ("0.5", "**Answer: 50%**"), ("0.5", "The answer is **50%**."), ("0.5", "**Answer: 50 percent**"),
    ("0.5", r"\boxed{50}\%"), ("18", "**Answer: 18** ✅"), ("18", "最终答案是 **18** 个。"), ("12", "答え：**12個**"),
    ("20", "Answer: $A = 20$ cm²"), ("20", "Answer: $A = 20$ cm"), (r"2\sqrt{3}", r"$h = 2\sqrt{3}$ cm"),
    ("12", r"\boxed{12} minutes"), ("12 hours", r"\boxed{12} hours"), ("12", r"\boxed{12} in total"),
    # a letter, words, lines
    ("B", "The answer is option B."), ("B", "La bonne réponse est la B."), ("Paris", "Answer: Paris 🇫🇷"),
    ("local min. $(-1,1/2)$", "The answer is local min. $(-1, 1/2)$."), ("36", "#### 36 red jelly beans"),
    ("$y_1=1-x$, $y_2=x$", "The answer is:\n$y_1=1-x$\n$y_2=x$"),
]  # fmt: skip

OPEN = [
    # brackets behind maths, values of functions, symbols
    ("9/16", r"Answer: $\frac{3}{4}$ (0.75)"), ("3/4", r"Answer: $\frac{3}{4}$ (0.75)"),
    ("6.25", r"Answer: $\frac{5}{2}$ (2.5)"), ("2", r"Answer: $\sqrt 2$ ($\sqrt 2$)"),
    ("6.25", r"\boxed{\frac52 (2.5)}"),
    ("0", r"\boxed{I(0)}"), ("0", "The answer is f(0)."), ("0", "The answer is $x(0)$."), ("I(0)", r"\boxed{0}"),
    ("C", r"\boxed{B=C}"), ("y", r"\boxed{x=y}"),
    # another unit behind the box
    ("12 hours", r"\boxed{12} minutes"), ("12 cm", r"The length is \boxed{12} inches."), ("$12", r"\boxed{12} cents"),
    ("20", "Answer: $A = 20$ m"), ("5", "$v = 5$ m/s"),
    # a word with its reason
    ("Yes", "Answer: Yes, 97 is prime."), ("Yes", "Answer: Yes — 97 is prime."), ("No", "Answer: No, 91 = 7*13."),
    ("True", "The answer is true because 2 < 3."), ("Paris", "The answer is Paris, the capital of France."),
    ("Paris", "The answer is Paris (France)."), ("Paris", "Answer: Paris, France"),
]  # fmt: skip

NOT_EQUAL = [
    ("3,5", "3<x<5"), ("x=3 or x=5", "3<x<5"), (r"x\in(1,2)", "1,2"), ("x=5,y=6", "5<x<6"),
    (r"(3,\infty)", r"3,\infty"), ("(5,6]", r"\begin{pmatrix}5&6\end{pmatrix}"),
    ("[1,2]", r"\begin{pmatrix}1\\2\end{pmatrix}"), ("(2,3)", "m=3, b=2"), (r"(2,\pi)", r"\theta=2, r=\pi"),
    ("x=1,y=2; x=3,y=4", "x=1,y=4; x=3,y=2"), ("1,2 and 3,4", "1,3 and 2,4"), (r"\{1,2\}", r"\{1,\{2\}\}"),
    (r"\emptyset", r"\{\emptyset\}"), ("x=1 or y=2", "(1,2)"), ("rat", "art"), ("HTT", "TTH"), ("WE", "EW"),
    (r"\text{IV}", r"\text{VI}"), ("-1", "(ii)"), ("2", r"2\mathrm{x}"), ("3", r"3\mathrm{i}"), ("3", r"1+2\text{i}"),
    (r"2\mathrm{x}", r"2\mathrm{y}"), ("2", r"2\operatorname{i}"), ("0", "0xFF"), ("0xFF", "0xAB"),
    ("250", r"5\%\cdot 50"), ("95", r"100-5\%"), (r"5\%, 6", r"5, 6\%"), ("5", "5 quadrillion"), ("5", "5 twelfths"),
    ("5", "5 basis points"), ("5", "5 grand"), ("5", "5 tens"), ("5", "5 doubled"), ("3", "3 sevenths"),
    ("0.3", "0.3 repeating"), ("5", "5 (extraneous)"), ("5", "5 rejected"), ("5", "5 fails"), ("5", "5 ruled out"),
    ("5", "5 maximum"), ("5", "5 otherwise"), ("5", "5 on average"), ("5", "5 meters underwater"),
    ("5 years older", "5 years younger"), ("5 gained", "5 lost"), ("5 hours later", "5 hours earlier"),
    ("5", "5 Billionen"), ("5", "5 miliardi"), ("5", "5 milyar"), ("5", "5 septièmes"), ("5", "5 octavos"),
    ("5", "5 пятых"), ("5", "5 falsch"), ("5", "5对"), ("5", "5 Promille"), ("5", "5 tỷ"), ("5", "5 periodisch"),
    ("5", "the square of 5"), ("5", "the predecessor of 5"), ("5", "multiples of 5"), ("5", "divisible by 5"),
    ("5", "a shortfall of 5"), ("5", "a twelfth of 5"), ("5", "increased by 5"), ("5", "twice x = 5"),
    ("5", r"\text{less than }=5"), ("5", r"\text{not }=5"), ("f(2x)", "2f(x)"), ("f(g(x))", "g(f(x))"),
    ("f(x+y)", "f(x)+f(y)"), ("3a", "a(3)"), ("a_{10}=2", "a_{11}=2"), ("a_n=2n", "a_{n+1}=2n"),
    ("f'(x)=2x", "f(x)=2x"), (r"\text{max}=5", r"\text{min}=5"), (r"\angle A=60", r"\angle B=60"), ("x=1", "1=1"),
    ("x=2", "y=2=2"), (r"A\$5", r"US\$5"), ("x^{-1}=3", "x=3"), ("A^{-1}=3", "A=3"), (r"p \land q", r"p \lor q"),
    (r"2 \land 3", r"2 \lor 3"), ("f(-x)", "-f(x)"), ("f(x+h)-f(x)", "f(h)"), (r"\{\{1,2\}\}", r"\{1,2\}"),
    (r"\{1\},\{2\}", r"\{1,2\}"), (r"\frac{dy}{dx}=3x^2", "y=3x^2"), (r"\frac{d^2y}{dx^2}=3", r"\frac{dy}{dx}=3"),
    ("y''=0", "y=0"), ("x'=3", "x=3"), (r"\vec a \cdot \vec b", r"\vec a \times \vec b"),
    (r"\mathbf{A}\mathbf{B}", r"\mathbf{B}\mathbf{A}"), ("A^{-1}B", "BA^{-1}"), ("P(A)=0.3", "P(B)=0.3"),
    ("E(X)=3", "V(X)=3"), (r"\bar{x}=5", r"\sigma=5"), (r"\hat{p}=0.3", "p=0.3"), ("x_{max}=3", "x_{min}=3"),
    ("S_n=n^2", "a_n=n^2"), ("AB=4", "BC=4"), (r"\frac{\pi}{2}", r"\frac{\pi}{2}^\circ"), (r"\pi", r"\pi^\circ"),
    (r"\frac{\pi}{6}", r"\frac{\pi}{6} \text{ degrees}"),
]  # fmt: skip
"""In a box. Another answer, or two readings: intervals, nesting, letters, functions, names, matrices, words."""

NOT_THE_REPLYS = [
    ("5", r"x = -\boxed{5}"), ("5", r"\pm\boxed{5}"), ("5", r"\boxed{5} million"), ("5", r"\boxed{5} \times 10^3"),
    ("5", r"\frac{\boxed{5}}{2}"), ("5", r"x \ne \boxed{5}"), ("5", r"Is it \boxed{5}?"),
    ("5", r"The answer is not \boxed{5}."), ("5", r"\boxed{5} is not the answer."), ("5", "答えは5ではない。"),
    ("5", "The answer is 5. Nope, 6."), ("5", "The answer is 5. I miscalculated. It is 6."),
    ("5", "The answer is 5. Ignore that. It is 6."), ("5", "Die Antwort ist 5. Moment, das ist falsch."),
    ("5", "La respuesta es 5. No, es 6."), ("5", "The answer is 5. My bad, 6."),
    ("5", "The answer is 5. Never mind, 6."), ("5", "The answer is 5. Edit: 6."),
    ("5", "The answer is 5. That can't be. It should be 6."), ("5", "#### 5\nWait, 6."),
    ("5", "#### 5\nSo the answer is 6."), ("5", "I don't think the answer is 5."),
    ("5", "It is false that the answer is 5."), ("43", "The answer is 42, but I hope the answer is 43."),
    ("5", "One might think the answer is 5."), ("5", "No answer is 5."),
    ("6", "The answer is 5.\n\n## Problem 2\nThe answer is 6."),
    ("6", "The answer is 5.\nQ2. What?\nThe answer is 6."), ("6", "The answer is 5.\nExercise 3\nThe answer is 6."),
    ("7", "<|think|>The answer is 7<|/think|>The answer is 5"), ("5", "~~5~~"),
]  # fmt: skip
"""Beside a box, taken back, denied, of another question, in thoughts, struck out."""

NOT_DIFFERENT = [
    ("2x", r"2\mathrm{x}"), ("3i", r"3\mathrm{i}"), ("2e", r"2\mathrm{e}"), ("Tom", "TOM"), ("(ii)", "II"),
    ("Red", "red"), ("all real numbers", r"\mathbb{R}"), ("no solutions", "no solution"),
    ("undefined", "does not exist"), ("integers", r"\mathbb{Z}"), ("the origin", "(0,0)"), ("3/7", "3 sevenths"),
    ("1/3", "0.3 repeating"), ("2", "twice"), ("5", "fivefold"), ("1/5", "fifth"), ("0", "nought"), ("7", "VII"),
    (r"\{0\}", r"|x|\le0"), ("[1,1]", r"\{1\}"), ("5", "5B"), ("(1,2)", "y=1, x=2"), ("3", "log2(8)"),
    ("5", "abs(-5)"), ("255", "0xFF"), (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "[[1,2],[3,4]]"),
    (r"(-\infty,\infty)", r"\text{All reals}"), ("y=0", r"\text{the x-axis}"), ("I", r"\text{identity matrix}"),
    (r"90^\circ", r"\text{right angle}"), ("2", r"\text{second}"), (r"\infty", r"\text{unbounded}"),
    ("3", r"\text{III}"), (r"\text{divergent}", r"\text{diverges}"), (r"\{2\}", "[2,2]"),
    (r"\text{DNE}", r"\text{does not exist}"), ("C", r"\text{Option C}"), (r"\text{III}", r"\text{Quadrant III}"),
    (r"\text{Monday}", r"\text{Mon.}"), (r"\text{Yes}", r"\text{yes, because 2 < 3}"),
]  # fmt: skip
"""In a box. The same in words, in another case or notation."""
