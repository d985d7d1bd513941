# The closed world of the demo page model: which words its pages are written with, by part of speech, and in which
# forms (after a space, without one, with a capital) each is one token. In: nothing. Out: constants. Pure data.

NOUNS = (
    "apple bank boat book bridge brother camera car cat child city clock coffee company country day doctor dog door "
    "engine evening father fire fish flower forest friend garden harbour horse hotel house island kitchen lake "
    "letter library market mirror money morning mountain museum music night picture question report river school "
    "ship station storm street student summer table teacher tower town train tree village water window winter"
).split()
ADJECTIVES = (
    "big blue brave bright cheap clean dark early empty famous fresh good green happy heavy important large late "
    "little long modern new old open quiet red safe short small strong white young"
).split()
VERBS = (
    "builds buys carries closes counts fills finds follows gives helps holds keeps knows likes makes needs opens "
    "paints reads sees sells sends shows takes wants"
).split()
BASES = (
    "Build Buy Call Check Clean Close Count Fill Find Follow Help Keep Make Open Paint Read Sell Send Show Take "
    "Wash Write"
).split()
ADVERBS = "always early here never now often slowly sometimes still today".split()
PREPOSITIONS = "about above after behind below between by for from in near of on over to under with without".split()
SMALL = "a an and but or is the every our their its this no each".split()
STARTS = "The A Every Our This That Each No An He She It In".split()
UNITS = "days hours minutes pages people weeks years".split()

HEADER_WORDS = "Annual City Daily Guide History Library Market News Notes Report School Summary".split()
TOPICS = "Background Changes Costs Introduction Methods Overview Plans Prices Questions Results Rules Steps Tasks Work".split()
COLUMNS = "Amount City Class Colour Count Date Month Name Number Place Price Size State Time Total Year".split()
CELLS = (
    "apple boat book bridge car city door fish garden house lake music park river school ship table tower train "
    "village water north south east west red blue green white large small open closed new old yes no"
).split()
CODE = "total count value name item list file line size index result print for if def read write open close len".split()
CODE_SPACED = "total count value name item list file line size index result in print return len read write open close".split()

PROMPT_WORDS = "User Assistant Convert Page Table".split()


def forms():
    """Every piece that is one token, as it stands in the text (a leading space included), sorted."""
    spaced = NOUNS + ADJECTIVES + VERBS + ADVERBS + PREPOSITIONS + SMALL + UNITS + STARTS + CODE_SPACED + COLUMNS
    spaced += ["this", "page", "to", "docling"] + CELLS
    bare = BASES + STARTS + HEADER_WORDS + TOPICS + COLUMNS + CELLS + CODE + PROMPT_WORDS
    return sorted({" " + w for w in spaced} | set(bare))
