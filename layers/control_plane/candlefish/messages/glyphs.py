"""Letters for pictures: three pixels wide and five high, enough for numbers, versions and a few words."""

from __future__ import annotations

WIDE, HIGH = 3, 5
# Rows from above, as octal digits: 4 is the left pixel, 1 the right one.
_ROWS = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71222",
    "8": "75757", "9": "75717", "A": "25755", "B": "65656", "C": "34443", "D": "65556", "E": "74647", "F": "74644",
    "G": "34553", "H": "55755", "I": "72227", "J": "11152", "K": "55655", "L": "44447", "M": "57755", "N": "65555",
    "O": "25552", "P": "65644", "Q": "25563", "R": "65655", "S": "34216", "T": "72222", "U": "55557", "V": "55552",
    "W": "55775", "X": "55255", "Y": "55222", "Z": "71247", ".": "00002", ",": "00024", ":": "02020", "-": "00700",
    "+": "02720", "_": "00007", "%": "51245", "/": "11244", " ": "00000", "?": "71202",
}  # fmt: skip


def lit(text: str) -> list[tuple[int, int]]:
    """The pixels (x, y) of a text in one line; what has no letter is a question mark."""
    found = []
    for n, letter in enumerate(text.upper()):
        for y, row in enumerate(_ROWS.get(letter, _ROWS["?"])):
            found += [(n * (WIDE + 1) + x, y) for x in range(WIDE) if int(row) >> (WIDE - 1 - x) & 1]
    return found
