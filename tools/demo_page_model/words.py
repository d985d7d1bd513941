# The closed world of the demo page model: which words its pages are written with, by part of speech, and in which
# forms (after a space, without one, with a capital) each is one token. In: nothing. Out: constants. Pure data.

NOUNS = (
    "apple baker bank basket bird boat book bottle bread bridge brother building camera captain car cat chair child "
    "church city clock cloud coast coffee college company cook copy corner cotton country cousin crowd cup dancer "
    "daughter day desk doctor dog door dream driver engine evening farmer father field film fire fish flower forest "
    "friend fruit garden gate glass gold grass guest guide hall hammer harbour hat hill history horse hospital hotel "
    "hour house island journey judge key kitchen ladder lake lamp language lawyer leaf letter library light lion "
    "machine manager map market meal medicine member metal milk mirror money month moon morning mother mountain mouse "
    "museum music neighbour night number nurse ocean office orange order owner page painter paper parent park path "
    "people picture pilot plan plant plate poem pond price prison problem profit pupil queen question rain report "
    "result river road room rope sailor salt school science season secret shadow sheep shelf ship shop silver singer "
    "sister snow soldier song square station stone storm story street student study summer table tailor teacher "
    "theatre ticket tiger tower town traffic train tree uncle valley village voice wall watch water weather week "
    "wheel wind window winter wood worker writer year"
).split()
ADJECTIVES = (
    "big blue brave bright broken brown busy calm careful cheap clean clever cold cool dark deep dry early empty famous "
    "fast fine first free fresh full gentle good great green happy hard heavy high honest hot hungry important large "
    "last late lazy light little local lonely long loud lucky modern narrow national new noisy old open pale poor proud "
    "public quick quiet rare ready red rich round sad safe second sharp short silent simple slow small soft special "
    "strange strong sweet tall thin third tired useful warm weak wet white whole wide wild wise yellow young"
).split()
VERBS = ("answers builds buys calls carries checks cleans closes counts covers crosses draws drives enters fills finds "
         "follows gives helps holds keeps knows learns leaves likes loves makes meets moves needs offers opens paints "
         "passes pays plays pulls pushes reads remembers sees sells sends serves shows starts stops takes tells "
         "touches trusts turns uses visits wants washes writes").split()
BASES = ("Answer Build Buy Call Carry Check Clean Close Count Cover Cross Draw Drive Enter Fill Find Follow Give Help "
         "Hold Keep Learn Leave Make Meet Move Offer Open Paint Pass Pay Plan Play Pull Push Read See Sell Send Serve "
         "Show Start Stop Take Tell Touch Turn Use Visit Wash Write").split()
ADVERBS = ("again almost already always early here never now often once quickly quietly slowly sometimes soon still "
           "there today together twice usually well").split()
PREPOSITIONS = "about above across after against along before behind below beside between by for from in inside near of on over through to under with without".split()
SMALL = "a all an and are as at but each every has he is it its no not or our she that the their they this was we were".split()
STARTS = "The A Every Our This That Each No An We They He She It Some Most In After Before Today Often".split()
UNITS = "days hours kilometres metres minutes pages pieces times weeks years euros people".split()

HEADER_WORDS = "Annual City Contents Daily General Guide History Library Local Market Monthly News Notes Report School Summary Weekly Winter Summer".split()
TOPICS = "Background Changes Conclusion Costs Details Goals Introduction Methods Next Open Overview People Places Plans Prices Questions Results Rules Sources Steps Tasks Tools Travel Work Year".split()
COLUMNS = "Amount City Class Code Colour Count Date Day Item Length Month Name Number Place Price Rate Score Size State Team Time Total Type Value Weight Year".split()
CELLS = ("apple bank boat book bread bridge car cat chair city clock coffee dog door fish garden gold hat horse hotel "
         "house island key lake lamp map milk moon music paper park plate rain river road room salt school ship shop "
         "silver snow song stone street table tea tower town train tree village wall water wind window winter wood "
         "north south east west red blue green yellow white black small large open closed new old high low yes no").split()
CODE = ("total count value name item list file line size index result print return for in if else while def import "
        "read write open close range len math data True False None").split()
CODE_SPACED = "total count value name item list file line size index result in range data None True False and not print return len read write open close".split()

DOC_WORDS = "User Assistant Convert Page page Table Figure docling".split()


def forms():
    """Every piece that is one token, as it stands in the text (a leading space included), sorted."""
    spaced = NOUNS + ADJECTIVES + VERBS + ADVERBS + PREPOSITIONS + SMALL + UNITS + STARTS + CODE_SPACED + COLUMNS
    spaced += ["convert", "this", "page", "docling", "to", "Page", "Table"] + CELLS
    bare = BASES + STARTS + HEADER_WORDS + TOPICS + COLUMNS + CELLS + CODE + DOC_WORDS
    return sorted({" " + w for w in spaced} | set(bare))
