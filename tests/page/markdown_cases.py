"""Markdown and what the page makes of it, as HTML for comparison: (name, text, HTML)."""

TABLE = '<div class="table" tabindex="0" role="group" aria-label="Table">{}</div>'
LINK = '<a href="{0}" target="_blank" rel="noopener noreferrer nofollow">{1}</a>'
CODE = '<pre class="code" tabindex="0"{1}><code>{0}</code></pre>'


def shown(address, text):
    return LINK.format(address, text) + f'<span class="address"> ({address})</span>'


CASES = [
    ("empty", "", ""),
    ("paragraph", "one\ntwo", "<p>one\ntwo</p>"),
    ("paragraphs", "one\n\ntwo", "<p>one</p><p>two</p>"),
    ("line ends of Windows", "one\r\n\r\ntwo", "<p>one</p><p>two</p>"),
    ("hard breaks", "one  \ntwo\\\nthree", "<p>one<br>two<br>three</p>"),
    ("headings", "# A\n## B ##\n###### F", '<h3 class="level-1">A</h3><h4 class="level-2">B</h4><h6 class="level-6">F</h6>'),
    ("no heading", "#5 is\n####### seven", "<p>#5 is\n####### seven</p>"),
    ("empty heading", "#", '<h3 class="level-1"></h3>'),
    ("rule", "a\n\n---\n\n* * *", "<p>a</p><hr><hr>"),
    ("bold and italic", "**a** *b* __c__ _d_ ***e***",
     "<p><strong>a</strong> <em>b</em> <strong>c</strong> <em>d</em> <strong><em>e</em></strong></p>"),
    ("bold within italic", "*a **b** c*", "<p><em>a <strong>b</strong> c</em></p>"),
    ("struck", "~~a~~ ~b~", "<p><del>a</del> ~b~</p>"),
    ("signs that are none", "2 * 3 * 4, snake_case_name, a ** b", "<p>2 * 3 * 4, snake_case_name, a ** b</p>"),
    ("open signs", "**a *b `c", "<p>**a *b `c</p>"),
    ("escapes", r"\*a\* \<b\> \\", "<p>*a* &lt;b&gt; \\</p>"),
    ("code", "`a` ``b`c`` `` ` ``", "<p><code>a</code> <code>b`c</code> <code>`</code></p>"),
    ("code holds signs", "`**a** <b> [c](https://d.example)`", "<p><code>**a** &lt;b&gt; [c](https://d.example)</code></p>"),
    ("fence", "```python\nprint('<b>')\n\n# no heading\n```\nafter",
     CODE.format("print('&lt;b&gt;')\n\n# no heading", ' data-language="python"') + "<p>after</p>"),
    ("fence of tildes", "~~~\na\n~~~", CODE.format("a", "")),
    ("fence without end", "```\na\nb", CODE.format("a\nb", "")),
    ("fence within a longer one", "````\n```\n````", CODE.format("```", "")),
    ("list", "- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
    ("list behind a paragraph", "these:\n- a\n- b", "<p>these:</p><ul><li>a</li><li>b</li></ul>"),
    ("numbers", "1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
    ("numbers from seven", "7) a\n8) b", '<ol start="7"><li>a</li><li>b</li></ol>'),
    ("nested lists", "- a\n  - b\n    1. c\n- d", "<ul><li>a<ul><li>b<ol><li>c</li></ol></li></ul></li><li>d</li></ul>"),
    ("loose list", "- a\n\n- b", "<ul><li><p>a</p></li><li><p>b</p></li></ul>"),
    ("item of two paragraphs", "1. a\n\n   b\n2. c", "<ol><li>a<p>b</p></li><li>c</li></ol>"),
    ("two lists", "- a\n* b", "<ul><li>a</li></ul><ul><li>b</li></ul>"),
    ("code in a list", "- a\n  ```\n  b\n  ```", "<ul><li>a" + CODE.format("b", "") + "</li></ul>"),
    ("year at the start of a line", "It was in\n1984. A book.", "<p>It was in\n1984. A book.</p>"),
    ("quote", "> a\n> b\n\nc", "<blockquote><p>a\nb</p></blockquote><p>c</p>"),
    ("quote in a quote", "> > a", "<blockquote><blockquote><p>a</p></blockquote></blockquote>"),
    ("table", "| a | b |\n|:--|--:|\n| 1 | **2** |\n| `x|y` | p\\|q |",
     TABLE.format('<table><thead><tr><th class="align-start" scope="col">a</th><th class="align-end" scope="col">b</th></tr></thead>'
                  '<tbody><tr><td class="align-start">1</td><td class="align-end"><strong>2</strong></td></tr>'
                  '<tr><td class="align-start"><code>x|y</code></td><td class="align-end">p|q</td></tr></tbody></table>')),
    ("table with missing and extra cells", "a|b\n-|:-:\n1\n|2|3|4|",
     TABLE.format('<table><thead><tr><th class="align-start" scope="col">a</th><th class="align-center" scope="col">b</th></tr></thead>'
                  "<tbody></tbody></table>") + "<p>1\n|2|3|4|</p>"),
    ("no table", "a | b\nc | d", "<p>a | b\nc | d</p>"),
    ("link", "[a](https://b.example/c?d=1&e=2)", "<p>" + shown("https://b.example/c?d=1&amp;e=2", "a") + "</p>"),
    ("link with a title", '[a](http://b.example/ "t")', "<p>" + shown("http://b.example/", "a") + "</p>"),
    ("link that is its text", "[https://b.example/](https://b.example/)", "<p>" + LINK.format("https://b.example/", "https://b.example/") + "</p>"),
    ("link that says another address", "[https://bank.example](https://evil.example)",
     "<p>" + shown("https://evil.example/", "https://bank.example") + "</p>"),
    ("bold link", "[**a**](https://b.example/)", "<p>" + shown("https://b.example/", "<strong>a</strong>") + "</p>"),
    ("bare address", "see https://b.example/c. Or (http://d.example)",
     "<p>see " + LINK.format("https://b.example/c", "https://b.example/c") + ". Or (" + LINK.format("http://d.example/", "http://d.example") + ")</p>"),
    ("picture", "![a](https://b.example/c.png)", "<p>!" + shown("https://b.example/c.png", "a") + "</p>"),
    # What must stay text.
    ("script", "<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
    ("element with a handler", "<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>"),
    ("entity", "&lt;b&gt; &amp; &#60;", "<p>&amp;lt;b&amp;gt; &amp;amp; &amp;#60;</p>"),
    ("comment", "<!-- a -->", "<p>&lt;!-- a --&gt;</p>"),
    ("script address", "[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"),
    ("script address in capitals", "[a](JaVaScRiPt:alert(1))", "<p>[a](JaVaScRiPt:alert(1))</p>"),
    ("script address with a line end", "[a](java\nscript:alert(1))", "<p>[a](java\nscript:alert(1))</p>"),
    ("script address with an entity", "[a](&#106;avascript:alert(1))", "<p>[a](&amp;#106;avascript:alert(1))</p>"),
    ("data address", "[a](data:text/html,<b>)", "<p>[a](data:text/html,&lt;b&gt;)</p>"),
    ("file address", "[a](file:///etc/passwd)", "<p>[a](file:///etc/passwd)</p>"),
    ("address of this page", "[a](/v1/models) [b](//evil.example)", "<p>[a](/v1/models) [b](//evil.example)</p>"),
    ("address with a name", "[a](https://bank.example@evil.example/)",
     "<p>[a](https://bank.example@evil.example/)</p>"),
    ("quotes in an address", '[a](https://b.example/"onclick="x)', "<p>" + shown("https://b.example/%22onclick=%22x", "a") + "</p>"),
    ("script in code", "```html\n<script>alert(1)</script>\n```",
     CODE.format("&lt;script&gt;alert(1)&lt;/script&gt;", ' data-language="html"')),
    ("handler as a language", '```"onload=alert(1)\na\n```', CODE.format("a", ' data-language="&quot;onload=alert(1)"')),
    ("script in a table", "|<b>|\n|-|\n|<script>|",
     TABLE.format('<table><thead><tr><th class="align-start" scope="col">&lt;b&gt;</th></tr></thead>'
                  '<tbody><tr><td class="align-start">&lt;script&gt;</td></tr></tbody></table>')),
]

# Text that asks for more work than it is worth: (name, text). Each is to be rendered within a second or two.
HEAVY = [
    ("brackets", "[" * 60000),
    ("brackets and one end", "[" * 49000 + "](https://a.example)"),
    ("blanks within a heading", "# a" + " " * 200000 + "x"),
    ("blanks behind a fence", "```" + " " * 200000 + "`"),
    ("links without end", "[a](" * 20000),
    ("stars", "*a " * 30000),
    ("pairs of stars", "**a " * 30000),
    ("underscores", "_a " * 30000),
    ("backticks", "".join("`" * (i % 200 + 1) + " " for i in range(2000))),
    ("quotes in quotes", ">" * 20000 + " a"),
    ("lists in lists", "\n".join(" " * (2 * i) + "- a" for i in range(400))),
    ("cells", "|" * 20000 + "\n" + "|-" * 20000),
    ("fences", "```\n" * 5000),
    ("addresses", "https://a.example/" * 5000),
    ("an address that ends in dots", ("https://a.example/" + "." * 1500 + "x ") * 30),
    ("a megabyte and more", "word " * 250000),
]
