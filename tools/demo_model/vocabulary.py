# The closed world of the demo model: which colours, shapes, things and words exist, and how questions are worded.
# In: nothing. Out: constants and small language helpers (article, plural). Pure data, no drawing.
# Things are emoji of the Noto Color Emoji font; a thing's name is the answer the model must give.

COLOURS = {
    "red": (214, 40, 40),
    "orange": (245, 140, 25),
    "yellow": (240, 208, 20),
    "green": (40, 150, 60),
    "blue": (40, 80, 215),
    "purple": (128, 50, 165),
    "pink": (246, 135, 190),
    "black": (25, 25, 28),
}

SHAPES = ["circle", "square", "triangle", "star", "heart", "diamond", "cross", "ring"]

THINGS = {
    "dog": "🐶", "cat": "🐱", "mouse": "🐭", "rabbit": "🐰", "fox": "🦊", "bear": "🐻", "panda": "🐼", "lion": "🦁",
    "cow": "🐮", "pig": "🐷", "frog": "🐸", "monkey": "🐵", "penguin": "🐧", "elephant": "🐘", "snake": "🐍",
    "turtle": "🐢", "fish": "🐟", "whale": "🐳", "octopus": "🐙", "butterfly": "🦋", "bee": "🐝", "snail": "🐌",
    "owl": "🦉", "duck": "🦆",
    "apple": "🍎", "pear": "🍐", "banana": "🍌", "lemon": "🍋", "strawberry": "🍓", "pineapple": "🍍",
    "watermelon": "🍉", "carrot": "🥕", "mushroom": "🍄", "tomato": "🍅", "pizza": "🍕", "burger": "🍔",
    "cake": "🍰", "croissant": "🥐", "donut": "🍩", "cheese": "🧀",
    "car": "🚗", "bus": "🚌", "train": "🚂", "boat": "⛵", "rocket": "🚀", "truck": "🚚", "tractor": "🚜",
    "bicycle": "🚲",
    "house": "🏠", "tree": "🌳", "sunflower": "🌻", "rose": "🌹", "umbrella": "☔", "ball": "⚽", "key": "🔑",
    "clock": "⏰", "book": "📕", "guitar": "🎸", "phone": "📱", "bell": "🔔", "drum": "🥁", "camera": "📷",
    "balloon": "🎈", "crown": "👑",
}

WORDS = (
    "go no up hi we cat dog sun red box hat pen map big hot yes one two six ten sea tea milk door bird moon rain snow "
    "wind fire road town blue good love time open stop exit sale book fish tree apple bread chair green happy house "
    "light money music night paper river table water world hello train orange yellow garden window summer winter "
    "school coffee flower market"
).split()

# Nine places, by (column, row) of a 3 x 3 grid.
PLACES = {
    (0, 0): "top left", (1, 0): "top", (2, 0): "top right",
    (0, 1): "left", (1, 1): "center", (2, 1): "right",
    (0, 2): "bottom left", (1, 2): "bottom", (2, 2): "bottom right",
}

# Question phrasings by kind; {x} is a name, {xs} its plural, {c} a colour, {side} left/right/top/bottom.
PHRASINGS = {
    "name": ["What is in the picture?", "What is in the image?", "What is this?", "What do you see?",
             "What can you see in the picture?", "What is shown in the image?"],
    "colour": ["What colour is the {x}?", "What color is the {x}?", "Which colour is the {x}?"],
    "count": ["How many {xs} are there?", "How many {xs} are in the picture?", "How many {xs} do you see?",
              "Count the {xs}."],
    "where": ["Where is the {x}?", "Where in the picture is the {x}?", "Where do you see the {x}?"],
    "number": ["What number is written?", "What number is this?", "Which number do you see?", "Read the number."],
    "word": ["What word is written?", "What word is this?", "Which word do you see?", "Read the word."],
    "yesno": ["Is there {ax}?", "Is there {ax} in the picture?", "Do you see {ax}?"],
    "shape": ["What shape is {c}?", "Which shape is {c}?", "What {c} shape is there?"],
    "side": ["What is on the {side}?", "What do you see on the {side}?"],
}
CATEGORIES = list(PHRASINGS)

IRREGULAR_PLURALS = {"mouse": "mice", "fish": "fish", "octopus": "octopuses", "butterfly": "butterflies",
                     "strawberry": "strawberries", "tomato": "tomatoes", "bus": "buses", "cross": "crosses"}

THING_NAMES = list(THINGS)
COLOUR_NAMES = list(COLOURS)


def article(noun: str) -> str:
    """'a cat', 'an apple'."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def plural(noun: str) -> str:
    """The plural of the last word of `noun` ('red circle' -> 'red circles')."""
    head, _, last = noun.rpartition(" ")
    last = IRREGULAR_PLURALS.get(last, last + "s")
    return f"{head} {last}".strip()
