# Renders chat templates with transformers' own environment: goldens for the template interpreter.
# In: the templates and conversations below. Out: a list of cases, each with the rendered text or the kind of error.
# The templates are our own; they use the constructs of those that supported models ship (SmolVLM, SmolLM2, LLaVA-NeXT,
# Llama 2 and 3, Mistral, Granite). Reference: transformers 5.18.0 utils/chat_template_utils.py, Jinja 3.1.

import jinja2
from family_templates import family_conversations
from transformers.utils.chat_template_utils import render_jinja_template

# The template of SmolVLM-256M-Instruct, one line and a line break.
SMOLVLM = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
CHATML = """\
{%- if messages[0]['role'] == 'system' -%}
    {%- set ns = namespace(system=messages[0]['content'], rest=messages[1:]) -%}
{%- else -%}
    {%- set ns = namespace(system='You are a small test.', rest=messages) -%}
{%- endif -%}
{{- '<|im_start|>system\\n' + ns.system + '<|im_end|>\\n' -}}
{%- for message in ns.rest -%}
    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>' + '\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""
INST = """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}
{% set loop_messages = messages[1:] %}
{% set system_message = '<<SYS>>\\n' ~ messages[0]['content'].strip() ~ '\\n<</SYS>>\\n\\n' %}
{% else %}
{% set loop_messages = messages %}
{% set system_message = false %}
{% endif %}
{% for message in loop_messages %}
    {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{ raise_exception('Roles must alternate user/assistant/user/assistant/...') }}
    {% endif %}
    {% if loop.index0 == 0 and system_message != false %}
        {% set content = system_message + message['content'] %}
    {% else %}
        {% set content = message['content'] %}
    {% endif %}
    {% if message['role'] == 'user' %}
        {{ '[INST] ' + content.strip() + ' [/INST]' }}
    {% elif message['role'] == 'assistant' %}
        {{ ' ' + content.strip() + ' ' + eos_token }}
    {% endif %}
{% endfor %}"""
HEADERS = """\
{{- bos_token }}
{%- if not date_string is defined %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- if not tools is defined or tools is none %}{%- set tools = [] %}{%- endif %}
{#- The system message comes first, whatever it is. -#}
{%- if messages[0]['role'] == 'system' %}
    {%- if messages[0]['content'] is string %}
        {%- set system_message = messages[0]['content']|trim %}
    {%- else %}
        {%- set system_message = messages[0]['content'][0]['text']|trim %}
    {%- endif %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
        {%- if message['content'] is string %}
            {{- message['content'] }}
        {%- else %}
            {%- for content in message['content'] %}
                {%- if content['type'] == 'image' %}
                    {{- '<|image|>' }}
                {%- elif content['type'] == 'text' %}
                    {{- content['text'] }}
                {%- endif %}
            {%- endfor %}
        {%- endif %}
        {{- '<|eot_id|>' }}
    {%- elif message.tool_calls|length != 1 %}
        {{- raise_exception("one call at a time") }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
LLAVA = """\
{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}\
{# pictures first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}\
{{ '<image>\\n' }}{% endfor %}{# then text #}{% if message['role'] != 'assistant' %}\
{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}{% endfor %}\
{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}\
{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}\
{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"""
GRANITE = """\
{%- if tools %}
    {{- '<|start_of_role|>available_tools<|end_of_role|>' }}
    {%- for tool in tools %}
    {{- tool | tojson(indent=4) }}
    {%- if not loop.last %}
        {{- '\\n\\n' }}
    {%- endif %}
    {%- endfor %}
{%- endif %}
{%- for message in messages if message['role'] == 'system' %}{% else %}<|system|>
A chat between a curious user and a helper.
{% endfor %}
{%- for message in messages %}
    {%- if message['role'] == 'system' %}
<|system|>
{{ message['content'][0]['text'] if message['content'] is not string else message['content'] }}
    {%- elif message['role'] == 'user' %}
<|user|>
{% for content in message['content'] %}{% if content['type'] == 'image' %}<image>
{% elif content['type'] == 'text' %}{{ content['text'] }}
{% endif %}{% endfor %}
    {%- elif message['role'] == 'assistant' %}
<|assistant|>
{{ message['content'][0]['text'] }}{{ eos_token }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
<|assistant|>
{% endif %}
"""


def say(role, *parts):
    """A message: "<image>" stands for a picture, other strings are text parts."""
    content = [{"type": "image"} if part == "<image>" else {"type": "text", "text": part} for part in parts]
    return {"role": role, "content": content}


ASK = [say("user", "<image>", "What is this?")]
TALK = [say("system", " Be brief. "), say("user", "Hi!"), say("assistant", "Hello."), say("user", "  Who are you?\n")]
PLAIN = [say("user", "Hi!"), say("assistant", "Hello."), say("user", "Bye {{ 1 + 1 }} <|im_end|>")]
WRONG = [say("user", "a"), say("user", "b")]
TWO = [say("user", "<image>", "Compare ", "<image>", "these: \u00e9t\u00e9 \u4f60\u597d")]
USER = [say("user", "Text with 'quotes', \"double\" & <tags>\n\ttab \\ back\u00e9")]

# name, template, messages, whether messages hold lists of parts ("parts") or plain text ("text")
CONVERSATIONS = [
    ("smolvlm ask", SMOLVLM, ASK, "parts"),
    ("smolvlm two", SMOLVLM, TWO, "parts"),
    ("smolvlm talk", SMOLVLM, TALK, "parts"),
    ("smolvlm text", SMOLVLM, PLAIN, "parts"),
    ("chatml talk", CHATML, TALK, "text"),
    ("chatml plain", CHATML, PLAIN, "text"),
    ("inst talk", INST, TALK, "text"),
    ("inst plain", INST, PLAIN, "text"),
    ("inst wrong order", INST, WRONG, "text"),
    ("headers ask", HEADERS, ASK, "parts"),
    ("headers talk", HEADERS, TALK, "parts"),
    ("headers two", HEADERS, TWO, "parts"),
    ("llava ask", LLAVA, ASK, "parts"),
    ("llava two", LLAVA, TWO, "parts"),
    ("llava talk", LLAVA, TALK, "parts"),
    ("granite ask", GRANITE, ASK, "parts"),
    ("granite talk", GRANITE, TALK, "parts"),
    *family_conversations(ASK, TALK, PLAIN, WRONG, TWO),
]

# Constructs one by one; each sees one user message with USER's text in `u`.
SNIPPETS = [
    # white space
    "a\n{% if true %}\nb\n{% endif %}\nc\n",
    "a\n   {% if true %}   \nb\n   {% endif %}\nc",
    "a   {%- if true -%}   b   {%- endif -%}   c",
    "a\n  {%+ if true +%}\n  b\n  {%+ endif +%}\n c",
    "  {{ 'x' }}  \n  {{- 'y' -}}  \n  z",
    "a {# comment #} b\n  {# line #}\nc {#- tight -#} d",
    "x\n\n{% set y = 1 %}\n\n{{ y }}\n\n\n",
    "{% raw %}{{ not this }} {% if %}{% endraw %} {{ 'this' }}",
    "a\r\nb\rc\n{{ 'd\r\ne' }}",
    "{{ 'a' }}{% if false %}x{% elif true %}\n  y\n{% else %}z{% endif %}",
    "\u00a0 {%- set a = 1 -%} \u2003 {{ a }}",
    # values and operators
    "{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 2 ** 10 }} {{ -2 ** 2 }}",
    "{{ 1.5 }} {{ 1e20 }} {{ 0.1 + 0.2 }} {{ 100000.0 }} {{ 1e-7 }} {{ 3.0 // 2 }} {{ 10 / 4 }} {{ 6 / 3 }} {{ 1_000 }}",
    "{{ true }} {{ False }} {{ none }} {{ None }} {{ true + 1 }} {{ not 0 }} {{ not 'a' }}",
    "{{ [1, 'two', 3.0, none, true] }} {{ (1,) }} {{ () }} {{ {'a': 1, 'b': [2]} }} {{ ['it\\'s', 'a\"b', 'n\\nl'] }}",
    "{{ 'a' ~ 1 ~ none ~ [2] }} {{ 'a' + 'b' * 3 }} {{ [1] + [2] * 2 }} {{ 'x' 'y' }}",
    "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ 1 == 1.0 }} {{ '1' == 1 }} {{ [1] == [1] }} {{ 2 >= 2 }} {{ 1 != 2 }}",
    "{{ 'b' in 'abc' }} {{ 2 in [1, 2] }} {{ 'k' in {'k': 1} }} {{ 3 not in [1, 2] }} {{ 'x' in missing }}",
    "{{ 0 or 'b' }} {{ 'a' and 'b' }} {{ '' and 1 or 'c' }} {{ not true or true }} {{ none or 0 }}",
    "{{ 'yes' if 1 else 'no' }} {{ 'yes' if 0 }}| {{ 'a' if false else 'b' if false else 'c' }}",
    "{{ 'abc'[0] }} {{ 'abc'[-1] }} {{ 'abc'[9] }}| {{ [1, 2, 3][1:] }} {{ 'abcdef'[1:-1:2] }} {{ 'abc'[::-1] }} {{ [1, 2][-5:5] }}",
    "{{ 'h\u00e9llo \u4f60\u597d'[1] }} {{ 'h\u00e9llo \u4f60\u597d'[6:] }} {{ 'h\u00e9llo'|length }}",
    "{{ {'a': {'b': [10, 20]}}.a.b[1] }} {{ {'a': 1}['a'] }} {{ {'a': 1}.b }}| {{ [[1, 2], [3]][0].1 }}",
    "{{ '\\x41\\u00e9\\t|\\101|\\q|\\\\' }} {{ 'a\\\nb' }}",
    # statements
    "{% for i in range(3) %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }},{% endfor %}",
    "{% for i in [] %}x{% else %}empty{% endfor %} {% for i in [1] %}x{% else %}empty{% endfor %}",
    "{% for i in range(10) if i % 2 %}{{ i }}/{{ loop.length }} {% endfor %}",
    "{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}{% for k in {'x': 1} %}{{ k }}{% endfor %}",
    "{% for a, b in [(1, 2), [3, 4]] %}{{ a + b }} {% endfor %}{% for c in 'a\u00e9' %}{{ c }}.{% endfor %}",
    "{% for i in [1, 2, 3] %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {{ loop.cycle('a', 'b') }} {% endfor %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}",
    "{% set ns = namespace(n=0, s='') %}{% for i in [1, 2, 3] %}{% set ns.n = ns.n + i %}{% set ns.s = ns.s ~ i %}{% endfor %}{{ ns.n }} {{ ns.s }}",
    "{% if true %}{% set y = 5 %}{% endif %}{{ y }} {% set a, b = 1, 2 %}{{ a }}{{ b }} {% set t = 1, 2 %}{{ t }}",
    "{% set block %}  some {{ 'text' }}  {% endset %}[{{ block }}] {% set up | upper | trim %} x {% endset %}[{{ up }}]",
    "{% macro hello(name, mark='!') %}Hello {{ name }}{{ mark }}{% endmacro %}{{ hello('you') }} {{ hello('me', mark='?') }}",
    "{% generation %}inside {{ 1 }}{% endgeneration %} outside",
    "{% for i in range(2) %}{% for j in range(2) %}{{ i }}{{ j }}{{ loop.index }} {% endfor %}{{ loop.index }};{% endfor %}",
    # filters
    "[{{ '  a b ' | trim }}] [{{ 'xxaxx' | trim('x') }}] {{ 'aBc dEf' | upper }} {{ 'aBc' | lower }} {{ 'hELLO wORLD' | capitalize }} {{ 'hello big world' | title }}",
    "{{ [1, 2, 3] | join(', ') }} {{ ['a', 'b'] | join }} {{ [{'n': 1}, {'n': 2}] | join('-', attribute='n') }} {{ 'abc' | join('.') }}",
    "{{ [3, 1] | first }} {{ [3, 1] | last }} {{ [] | first }}| {{ 'abc' | length }} {{ {'a': 1} | length }} {{ [1, 2] | count }} {{ missing | length }}",
    "{{ missing | default('d') }} {{ '' | default('d') }}| {{ '' | default('d', true) }} {{ none | d('x') }} {{ 0 | default(5, boolean=true) }}",
    "{{ u | tojson }} {{ {'b': 1.0, 'a': [none, true, 'x']} | tojson }} {{ [1, {'k': []}] | tojson(indent=2) }}",
    "{{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ [1, 2] | tojson(separators=(',', ':')) }} {{ '\u00e9\\x01' | tojson(ensure_ascii=true) }} {{ {1: 2, none: 3} | tojson }}",
    "{{ 'a-b-c' | replace('-', '+') }} {{ 'a-b-c' | replace('-', '', 1) }} {{ 'abc' | list }} {{ 3 | string + 'x' }} {{ '42' | int + 1 }} {{ 'z' | int(7) }} {{ '3.9' | int }} {{ '2.5' | float }}",
    "{{ {'a': 1} | items | list }} {{ {'b': 1, 'A': 2} | dictsort }} {{ [1, 2, 3] | reverse | list }} {{ 'abc' | reverse }} {{ -3 | abs }}",
    "{{ ['a', 'b'] | map('upper') | join }} {{ [{'x': 1}, {'x': 2}] | map(attribute='x') | list }} {{ [1, 2, 3, 4] | select('even') | list }} {{ [1, 0] | reject | list }}",
    "{{ [{'r': 'a', 'v': 1}, {'r': 'b'}] | selectattr('v', 'defined') | list }} {{ [{'r': 'a'}, {'r': 'b'}] | rejectattr('r', 'equalto', 'a') | map(attribute='r') | first }}",
    "{{ 'a\nb\n\nc' | indent(2) }}|{{ 'a\nb' | indent(3, first=true) }}",
    "{{ none | selectattr('r') | list }} {{ none | map('upper') | list }} {{ 0 | reject | list }} {{ missing | select | list }} {{ none | map(attribute='x') | first }}|",
    "{{ 'yes' if [] | select else 'no' }} {{ ([1] | map('string')) is iterable }} {{ ([1] | select) is sequence }} {{ 2 in [1, 2] | select }} {{ ([1] | select) == [1] }}",
    "{% for a in [1, 2, 3] | select('odd') %}{{ a }}{{ loop.length }} {% endfor %}{{ [1, 2] | map('string') | join('+') }} {{ [3, 4] | reject('odd') | first }}",
    "{{ [1] | select | length }}",
    "{{ [1] | map('string') | last }}",
    "{{ [1] | select + [2] }}",
    "{{ 5 | select | list }}",
    "{{ [1] | select | tojson }}",
    # tests
    "{{ u is string }} {{ 1 is string }} {{ [] is iterable }} {{ 1 is iterable }} {{ {} is mapping }} {{ [] is sequence }} {{ 'a' is sequence }} {{ none is none }} {{ u is not none }}",
    "{{ missing is defined }} {{ u is defined }} {{ missing is undefined }} {{ 1 is number }} {{ 1.5 is float }} {{ true is boolean }} {{ true is integer }} {{ 1 is true }} {{ false is false }}",
    "{{ 4 is even }} {{ 3 is odd }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ 1 is eq 1 }} {{ 2 is gt 1 }} {{ 'a' is in ['a'] }} {{ u.strip is callable }} {{ messages is not string and messages is iterable }}",
    # methods
    "[{{ '  a '.strip() }}] [{{ ' a'.lstrip() }}] [{{ 'a '.rstrip() }}] [{{ 'xay'.strip('xy') }}] {{ 'a,b,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a b c'.split(' ', 1) }} {{ 'a b c'.split(None, 1) }}",
    "{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'aXb'.upper() }} {{ 'aXb'.lower() }} {{ 'a b'.title() }} {{ 'aBC'.capitalize() }} {{ 'aaa'.replace('a', 'b') }} {{ 'aaa'.replace('a', 'b', 2) }}",
    "{{ 'abcabc'.find('c') }} {{ 'abc'.find('z') }} {{ 'abcabc'.count('bc') }} {{ ','.join(['a', 'b']) }} {{ 'l1\nl2'.splitlines() }} {{ '12'.isdigit() }} {{ 'prefix'.removeprefix('pre') }}",
    "{{ {'a': 1}.get('a') }} {{ {'a': 1}.get('b') }} {{ {'a': 1}.get('b', 2) }} {{ {'a': 1}.keys() | list }} {{ {'a': 1}.values() | list }} {{ [1, 2].index(2) }} {{ [1, 1].count(1) }}",
    "{{ u.split('\\'')[1] }} {{ u[:4] ~ u[-1] }} {{ (u | trim).replace('Text', 'Words') }} {{ 'stra\u00dfe'.upper() }} {{ '\u01c6x'.title() }}",
    "{{ '{} is {}'.format('a', 1) }} {{ '{1}{0}{1}'.format(none, [1]) }} {{ '{x}-{{{y}}}'.format(x=true, y=1.5) }} {{ '{}'.format(u) }} {{ ''.format(1) }}|",
    "{{ '{}'.format() }}",
    "{{ '{x}'.format(y=1) }}",
    "{{ '{'.format(1) }}",
    "{{ 'a}'.format(1) }}",
    # functions and errors
    "{{ range(3) | list }} {{ range(1, 10, 4) | list }} {{ range(5, 0, -2) | list }} {{ dict(a=1, b=2) }} {{ namespace(a=1).a }}",
    "{{ raise_exception('no pictures, please') }}",
    "{{ missing.attribute }}",
    "{{ missing + 'x' }}",
    "{{ 'a' + 1 }}",
    "{{ none.x }}| {{ 1.5 + '2' }}",
    "{{ [1, 2].append(3) }}",
    "{{ 1 / 0 }}",
    "{{ 'a' < 1 }}",
    "{{ messages[5].content }}",
    "{{ 'abc'() }}",
    "{% for a, b in [1] %}{% endfor %}",
    "{% for x in none %}{% endfor %}",
    "{{ range(1000000) }}",
    "{% if true %}",
    "{{ 'open }}",
    "{{ 1 +  }}",
    "{% endfor %}",
    "{{ (1, 2 }}",
    "{{ a b }}",
    "{# open",
    "{% set 1 = 2 %}",
    "{% break %}",
    "{% for x y %}{% endfor %}",
    "{{ 'a' | }}",
    "{{ [1, 2 ]] }}",
    # case, of every kind of letter
    "{{ 'you are \"nice\". it\\'s 1a c_d' | title }} {{ 'you are \"nice\". it\\'s 1a c_d'.title() }} {{ 'a-b (c) {d} [e] <f' | title }}",
    "{{ '\u039f\u0394\u039f\u03a3 \u03a3 \u0391\u03a3\u0391' | lower }} {{ '\u0130I'.lower() | length }} {{ '\ufb01\ufb03 \u0149 \u01f0 \u1e96'.upper() }} {{ '\ufb01x \u01c6 \u1f80'.title() }} {{ '\u01c6A'.capitalize() }} {{ '\u00df\u0390' | upper }}",
    "{{ '\u039f\u03a3 \u039f\u03a3' | title }} {{ '\u039f\u03a3 \u039f\u03a3'.title() }} {{ '\u039f\u0394\u039f\u03a3'.capitalize() }} {{ 'aB\u00df\u03a3'.swapcase() }} {{ '\u10d0\u10d1'.upper() }} {{ '\u10d0\u10d1'.title() }}",
    "{{ '\u00b2'.isdigit() }} {{ '\u0663'.isdigit() }} {{ '\u00bd'.isdigit() }} {{ '\u00bd'.isnumeric() }} {{ '\u4e00'.isnumeric() }} {{ '\u00b2'.isdecimal() }} {{ 'a\u00b2'.isalnum() }} {{ ''.isalnum() }} {{ '\u00aa'.islower() }} {{ '\u2167'.isupper() }} {{ 'A B'.istitle() }} {{ 'Ab cD'.istitle() }} {{ 'A1'.isupper() }} {{ '1'.islower() }} {{ '\\x1c'.isspace() }} {{ 'a\\n'.isprintable() }} {{ '\u00e9'.isascii() }} {{ 'ab' is lower }} {{ 'aB' is upper }}",
    "{{ ['\u00ad\u2028\\x7f\u0378', '\U000e0001'] }}",
    # ranges
    "{{ range(3) }} {{ range(1, 7, 2) }} {{ [range(2)] }} {{ range(3) == [0, 1, 2] }} {{ range(0, 3, 2) == range(0, 4, 2) }} {{ range(3)[1] }} {{ 2 in range(3) }} {{ range(0) | length }}",
    "{{ range(3) + [1] }}",
    # blocks
    "{% macro box(title) %}[{{ title }}: {{ caller() }}]{% endmacro %}{% set x = 1 %}{% for i in [1, 2] %}{% call box('n' ~ i) %}body {{ i }}{{ x }}{% endcall %}{% endfor %}",
    "{% macro each(items) %}{% for i in items %}<{{ caller(i, loop.index) }}>{% endfor %}{% endmacro %}{% call(item, n=0) each(['a', 'b']) %}{{ n }}{{ item }}{% endcall %}",
    "{% macro m() %}{% if caller %}yes{{ caller() }}{% else %}no{% endif %}{% endmacro %}{{ m() }} {% call m() %}!{% endcall %}",
    "{% macro m() %}x{% endmacro %}{% call m() %}!{% endcall %}",
    "{% filter upper %}a {{ 'b' }} c{% endfilter %} {% filter trim | replace('x', 'y') | indent(2, first=true) %}  xx  {% endfilter %}",
    "{% for i in [1, 1, 2, 2, 1] %}{{ loop.changed(i) }}{{ loop.changed(i, 'a') }} {% endfor %}",
    "{% for n in [{'v': 1, 'c': [{'v': 2, 'c': [{'v': 3}]}, {'v': 4}]}] recursive %}{{ n.v }}/{{ loop.depth }}{{ loop.depth0 }}{% if n.c %}({{ loop(n.c) }}){% endif %}{% endfor %}",
    "{% for n in [[1, [2, 3]], 4] recursive %}{% if n is iterable %}[{{ loop(n) }}]{% else %}{{ n }}{{ ',' if not loop.last }}{% endif %}{% endfor %}",
    "{% for n in [1] %}{{ loop([2]) }}{% endfor %}",
    "{% for i in [1, 1, 2] %}{% if loop.changed(i) %}{{ i }}{% endif %}{% endfor %} {{ 'x' % [1] }} {{ 'x' % {} }}",
    "{% call 1 + 1 %}{% endcall %}",
    # formatting
    "{{ '%s is %d' % ('a', 3) }} {{ '%s' % 'x' }} {{ '%5.2f|%-6s|%06d|%+d|% d' % (3.14159, 'ab', 42, 5, 7) }} {{ '%x %X %o' % (255, 255, 8) }} {{ '%(a)s-%(b)03d' % {'a': 'k', 'b': 7} }} {{ '100%%' % () }}",
    "{{ '%r %c %c' % ('q', 'z', 65) }} {{ '%e %g %G' % (12345.678, 0.0001, 1e20) }} {{ '%s' % [1, 2] }} {{ '%.2s|%8.3s|' % ('abcd', 'efgh') }} {{ '%d' % 3.9 }} {{ '%05s' % 'a' }} {{ '%-05d|' % 3 }} {{ '%.3d' % 7 }}",
    "{{ '%s %s' | format('a', 1) }} {{ '%(k)s' | format(k='v') }} {{ '%s' % none }} {{ '%d' % true }} {{ '%s' % missing }}|",
    "{{ '%s %s' % ('a',) }}",
    "{{ '%s' % ('a', 'b') }}",
    "{{ 'x' % 'a' }}",
    "{{ '%d' % 'a' }}",
    "{{ '%(a)s' % {'b': 1} }}",
    "{{ '%y' % 1 }}",
    # filters that order
    "{{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort }} {{ ['b', 'A', 'c'] | sort(case_sensitive=true) }} {{ [3, 1, 2] | sort(reverse=true) }} {{ [{'n': 'b', 'k': 1}, {'n': 'a', 'k': 2}] | sort(attribute='n') | map(attribute='k') | list }} {{ [{'a': 1, 'b': 2}, {'a': 1, 'b': 1}] | sort(attribute='a,b') }} {{ 'bca' | sort }} {{ {'b': 1, 'a': 2} | sort }}",
    "{{ [3, 'a'] | sort }}",
    "{{ [1, 2.5, true] | sum }} {{ [{'v': 1}, {'v': 2}] | sum(attribute='v') }} {{ [1] | sum(start=10) }} {{ [] | sum }} {{ [[1], [2]] | sum(start=[]) }}",
    "{{ ['a'] | sum }}",
    "{{ [3, 1, 2] | min }} {{ [3, 1, 2] | max }} {{ ['b', 'A'] | min }} {{ ['b', 'A'] | max(case_sensitive=true) }} {{ [{'v': 3}, {'v': 1}] | min(attribute='v') }} {{ [] | max }}|",
    "{{ [1, 2, 1, 3, 2] | unique | list }} {{ ['a', 'A', 'b'] | unique | join }} {{ ['a', 'A'] | unique(case_sensitive=true) | list }} {{ [{'k': 1, 'v': 1}, {'k': 1, 'v': 2}] | unique(attribute='k') | list }}",
    "{{ 42.55 | round }} {{ 42.55 | round(1, 'floor') }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 2.675 | round(2) }} {{ 42 | round }} {{ 42.1 | round(0, 'ceil') }} {{ 1234.5 | round(-2) }} {{ 15 | round(-1) }} {{ 42.55 | round | int }}",
    "{{ 1 | round(1, 'up') }}",
    "{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 'x') | list }} {{ [] | batch(3) | list }}",
    "{% for g in [{'t': 'b', 'v': 1}, {'t': 'a', 'v': 2}, {'t': 'B', 'v': 3}] | groupby('t') %}{{ g.grouper }}:{{ g.list | map(attribute='v') | join(',') }};{% endfor %}{% for k, l in [{'t': 1}, {}] | groupby('t', default=0) %}{{ k }}{{ l }}{% endfor %}",
    "{{ [(1, 'a'), (0, 'b')] | groupby(0) | list }} {{ [[2, 1], [1, 5]] | sort }} {{ (1, 2) < (1, 3) }} {{ [1] < [1, 2] }}",
    "{{ {'a': 1} | attr('a') }}| {{ 'x' | attr('upper') is callable }} {{ namespace(q=4) | attr('q') }} {{ 'x' | attr('nothing') }}|",
    "{{ '<a href=\"x\">\\'&' | escape }} {{ 1 | e }} [{{ 'ab' | center(7) }}] [{{ 'abc'.center(6, '*') }}] [{{ 'ab'.ljust(4) }}{{ 'ab'.rjust(4, '.') }}]",
    # more methods
    "{{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'abc'.partition('x') }} {{ 'abc'.rpartition('x') }} {{ 'a\u00e9b'.index('b') }} {{ 'abab'.rfind('ab') }} {{ 'abab'.rindex('b') }} {{ 'ab'.rfind('z') }} {{ '42'.zfill(5) }} {{ '-4'.zfill(4) }} {{ '\u00e9'.zfill(3) }}",
    "{{ 'abcabc'.find('c', 3) }} {{ 'abcabc'.find('a', -3, -1) }} {{ 'abc'.find('', 2) }} {{ 'abc'.find('', 4) }} {{ 'abcabc'.rfind('a', 0, 3) }} {{ 'aaa'.count('a', 1) }} {{ 'abc'.count('') }} {{ 'ab'.replace('', '-') }} {{ 'ab'.replace('', '-', 1) }}",
    "{{ 'abc'.index('z') }}",
    "{{ 'abc'.partition('') }}",
    # numbers, as Python reads, compares and rounds them
    "{{ '+-5' | int }} {{ '1_000' | int }} {{ '1__0' | int }} {{ '_1' | int }} {{ ' 12\n' | int }} {{ '1F' | int(0, 16) }} {{ '0x_1F' | int(0, 16) }} {{ '0b11' | int(0, 0) }} {{ '017' | int(7, 0) }} {{ '0_0' | int(7, 0) }} {{ '12' | int(0, 1) }} {{ 'zz' | int(base=36) }} {{ '\u0663\u0664' | int }} {{ '-9223372036854775808' | int }} {{ '1e400' | int(3) }} {{ 'nan' | int(4) }} {{ '-1_0.9' | int }} {{ none | int }} {{ [] | int(7) }}",
    "{{ '+1.5' | float }} {{ '+-1.5' | float }} {{ '1_0.5' | float }} {{ '1._5' | float }} {{ '\u0663.\u0665' | float }} {{ '.5' | float }} {{ '5.' | float }} {{ '.' | float }} {{ '1e' | float }} {{ '1e1_0' | float }} {{ '1E-400' | float }} {{ '0x10' | float }} {{ 'nan(1)' | float }}",
    "{% set e = u[:0] %}{{ (e ~ '1e400') | float }} {{ (e ~ '-0.001e999999999999999999') | float }} {{ (e ~ '-Infinity') | float }} {{ (e ~ 'NaN') | float }} {{ (e ~ '1e-999999999999999999') | float }} {{ [(e ~ 'nan') | float, (e ~ '-inf') | float] | tojson }}",
    "{{ ((u[:0] ~ 'inf') | float) | int }}",
    "{% set n = (u[:0] ~ 'nan') | float %}{{ n <= 1 }} {{ n >= 1 }} {{ 1 <= n }} {{ n < 1 }} {{ n == n }} {{ n is le 2 }} {{ n is ge 2 }} {{ [1, n] <= [1, 2] }} {{ [1] <= [1, 2] }} {{ [1, 2] >= [1, 2] }} {{ 'a' <= 'a' }} {{ 2 is le 2 }}",
    "{% set i = 9007199254740993 %}{{ i == 9007199254740992 }} {{ i == 9007199254740992.0 }} {{ i > 9007199254740992.0 }} {{ 9007199254740992.0 < i }} {{ i <= 9007199254740992 }} {{ 9223372036854775807 < 9223372036854775808.0 }} {{ 3 < 3.5 }} {{ -3 > -3.5 }} {{ true == 1.0 }} {{ i in [9007199254740992] }} {{ [i, i - 1] | max }}",
    "{{ 1.0 // 0.1 }} {{ 6.0 % 0.2 }} {{ -6.0 % 0.2 }} {{ 6.0 % -0.2 }} {{ -1.0 // 0.1 }} {{ -0.0 // 5.0 }} {{ 0.0 % -5 }} {{ 2.0 ** 0.5 }} {{ 2 ** -1 }} {{ (-2) ** -1 }} {{ 10 ** -400 }} {{ 7.5 // -2 }} {{ 7.5 % -2 }}",
    "{{ -3 / 9007199254740993 }} {{ 9007199254740993 / 3 }} {{ 9223372036854775807 / 9223372036854775806 }} {{ 9223372036854775807 / -7 }} {{ 1 / 9223372036854775807 }} {{ 0 / -9223372036854775807 }} {{ 9007199254740993 / 1 }} {{ (-0.5) | round(-1, 'ceil') }} {{ (-4) | round(-3, 'ceil') }}",
    "{{ 0 ** -1 }}",
    "{{ 0.0 ** -1 }}",
    "{{ 2.0 ** 2000 }}",
    "{{ 15 | round(-1) }} {{ 25 | round(-1) }} {{ -25 | round(-1) }} {{ 1250 | round(-2) }} {{ 7 | round(-19) }} {{ 7 | round(-30) }} {{ 5000000000000000000 | round(-19) }} {{ 9223372036854775804 | round(-1) }} {{ (-9223372036854770001) | round(-4) }} {{ true | round }} {{ 5 | round(40) }}",
    "{{ 15.0 | round(-1) }} {{ 25.0 | round(-1) }} {{ 5.0 | round(-1) }} {{ 7.0 | round(-1) }} {{ -0.3 | round(-1) }} {{ 501.0 | round(-3) }} {{ 500.0 | round(-3) }} {{ 99.0 | round(-3) }} {{ 1e23 | round(-22) }} {{ 2.5e22 | round(-22) }} {{ 5e15 | round(-15) }} {{ 1.5 | round(400) }} {{ 2.5 | round(100) }}",
    # attributes of filters
    "{{ [{'a': 1}] | map(attribute='99999999999999999999') | list }} {{ [[1, 2]] | map(attribute='-1') | list }} {{ [[1, 2]] | map(attribute='1') | list }} {{ [[1, 2]] | map(attribute=1) | list }} {{ [[1, 2]] | map(attribute=-1) | list }} {{ [[1, 2]] | map(attribute=1.5) | list }} {{ [{1: 2}] | map(attribute='1') | list }} {{ [{'1': 2}] | map(attribute='1') | list }} {{ [[1, 2]] | map(attribute='\u0660') | list }} {{ ['a'] | map(attribute=none) | list }}",
    "{{ [{}] | map(attribute='a.b', default='x') | list }} {{ [{'a': {}}] | map(attribute='a.b', default='x') | list }} {{ [{'a': {'b': 1}}] | map(attribute='a.b', default='x') | list }} {{ [{}] | map(attribute='a.b', default={'b': 3}) | list }} {{ [{}] | map(attribute='', default='x') | list }} {{ [{}] | groupby('a.b', default='x') }}",
    "{{ [{}] | map(attribute='a.b') | list }}",
    "{{ [[1]] | map(attribute='\u00b2') | list }}",
    "{{ ['a'] | map(attribute='x', other=1) | list }}",
    "{{ [[3, 4], [1, 0]] | sort(attribute=1) }} {{ [[3, 4], [1, 2]] | sum(attribute=1) }} {{ [[3, 4], [1, 0]] | sort(attribute='1,0') }} {{ [[3, 4], [1, 0]] | max(attribute=1) }} {{ [[3, 4], [1, 0]] | selectattr(1) | list }} {{ [[3, 4], [1, 0]] | rejectattr(1, 'eq', 0) | list }} {{ [[3, 4], [1, 0]] | join(',', attribute=1) }} {{ ['x', 'y'] | join(attribute=none) }} {{ {'b': 1, 'A': 2, 'c': 0} | dictsort }}",
    # indentation and lines
    "{{ 'a\nb' | indent('  ') }}|{{ 'a\nb' | indent('> ', true) }}|{{ 'a\nb' | indent(100) | length }}|{{ 'a\nb' | indent(-1) }}|{{ 'a\n\nb\n' | indent }}|{{ 'a\n\n' | indent(1, true, true) }}|{{ '' | indent(1, true, true) }}|{{ 'a\n   \nb' | indent(1) }}",
    "{{ ['a\r\nb\r\n\r\nc' | indent(1), 'a\\x0bb\\rc\\x85d\u2028e' | indent(1), 'a\\x0c' | indent(2, blank=true)] }}",
    "{{ {'a': [1]} | tojson(indent=70) | length }} {{ {'a': [1]} | tojson(indent=0) }} {{ {'a': [1]} | tojson(indent=-1) }} {{ {'a': [1]} | tojson(indent=true) }} {{ {'a': []} | tojson(indent='--') }}",
    "{{ 'a\r\nb\n'.splitlines(true) }} {{ 'a\\x0cb\\x85c\\x1cd\\x1de\\x1ef\u2028g\u2029h\\x0bi\\rj'.splitlines() }} {{ 'a\n'.splitlines(keepends=true) }} {{ 'a\n\n'.splitlines() }} {{ '\n'.splitlines(1) }} {{ ''.splitlines() }}",
    "{{ 'abc'.center(-9223372036854775807) }} {{ 'abc'.ljust(-9223372036854775807) }} {{ 'abc'.zfill(-9223372036854775807) }}",
    # formatting, again
    "{{ '%ld|%hd|%Ld|%lf|%ls' % (5, 6, 7, 1.5, 'a') }} {{ 'a%%b%%' % () }} {{ '%E %G %g' % (1.5, 1e20, 0.00001) }} {{ '%.0g|%.3g|%.0f|%.0f' % (123.4, 0.00012345, 0.5, 1.5) }}",
    "{% set e = u[:0] %}{{ '%F %f %5.1f|%G' % ((e ~ 'nan') | float, (e ~ '-inf') | float, (e ~ 'inf') | float, (e ~ 'inf') | float) }}",
    "{{ '%5%' % () }}",
    "{{ '%5%' % (1,) }}",
    "{{ '%lld' % 5 }}",
    # ranges, again
    "{{ range(5)[1:3] }} {{ range(5)[1:3] | list }} {{ range(10)[::-2] }} {{ range(10)[8:2] }} {{ range(0, 10, 3)[1:] }} {{ range(5)[1:3] == range(1, 3) }} {{ range(5)[-1] }} {{ range(5)[:] }} {{ range(9, 0, -2)[1:-1] }}",
    # macros with more arguments
    "{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, x=4) }} {{ f(1) }} {{ f(1, a=2) }} {{ f(x=1) }}",
    "{% macro f() %}{{ kwargs }}{{ kwargs.items() | list }}{% endmacro %}{{ f(x=1, y=2) }}|{{ f() }}",
    "{% macro f(a) %}{{ a }}{{ varargs | length }}{{ caller() }}{% endmacro %}{% call f(1, 2, 3) %}x{% endcall %}",
    "{% macro f(varargs, kwargs=3) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1) }}{{ varargs }}",
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}",
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, a=2) }}",
    "{% macro f(a) %}{{ a }}{{ varargs }}{% endmacro %}{{ f(1, x=3) }}",
    "{% macro f(varargs) %}{{ varargs }}{% endmacro %}{{ f(1, 2) }}",
    # cuts from the end, and ends within bounds
    "{{ ' a b  c '.rsplit(none, 1) }} {{ ' a b  c '.rsplit() }} {{ ' a b  c '.rsplit(none, 0) }} {{ 'a,b,,c'.rsplit(',', 2) }} {{ 'a,b,,c'.rsplit(',', 0) }} {{ 'aaaa'.rsplit('aa') }} {{ 'aaa'.rsplit('aa', 1) }} {{ 'a,b'.rsplit(sep=',', maxsplit=1) }} {{ '\u00a0\u00e9\u2003b '.rsplit(none, 1) }} {{ ''.rsplit() }} {{ ''.rsplit('a') }} {{ 'a b c  '.split(none, 1) }}",
    "{{ 'a'.rsplit('') }}",
    "{{ 'abc'.startswith('b', 1) }} {{ 'abc'.startswith('b', 1, 2) }} {{ 'abc'.startswith('', 3) }} {{ 'abc'.startswith('', 4) }} {{ 'abc'.endswith('b', 0, -1) }} {{ 'abc'.endswith(('x', 'b'), none, -1) }} {{ 'abc'.endswith('', 2, 1) }} {{ 'abc'.startswith(('a', 5)) }} {{ 'abc'.startswith(()) }} {{ '\u00e9b'.startswith('b', 1) }}",
    "{{ 'abc'.startswith(5) }}",
    "{{ 'abc'.startswith((5, 'a')) }}",
    "{{ 'abc'.startswith(['a']) }}",
    "{{ 'abc'.startswith('a', 1, 2, 3) }}",
    "{{ 'abc'.startswith(prefix='a') }}",
    # views of dicts
    "{% set d = {'b': 1, 'a': [2]} %}{{ d.items() }} {{ d.keys() }} {{ d.values() | string }} {{ {}.items() }} {{ '' ~ d.keys() }} {{ [d.items()] }} {{ d.items()[0] }} {{ d.items() | length }} {{ d.items() | list }} {{ d.values() | last }} {{ d.items() is sequence }} {{ d.keys() is iterable }} {{ 'b' in d.keys() }} {{ d.keys() | join(',') }} {{ d.items() | sort }} {{ d.keys() | list | tojson }} {{ not {}.items() }} {{ '%s' % d.keys() }} {{ d.keys().x }} {{ d | items | list | tojson }} {{ missing | items | list }}",
    "{{ {'a': 1}.items() | tojson }}",
    "{{ [{'a': 1}.keys()] | tojson }}",
    "{{ {'a': 1} | items | tojson }}",
    "{{ {'a': 1}.keys() + ['x'] }}",
    "{{ {'a': 1}.keys()[:1] }}",
    "{{ {'a': 1}.keys().index('a') }}",
    "{{ range(3) | tojson }}",
    "{{ missing | dictsort }}",
    # numbers of other bases
    "{{ 0x1F }} {{ 0b1 + 0o7 }} {{ 0X1f }} {{ 0B1_1 }} {{ 0O17 }} {{ 0x_1 }} {{ 00 }} {{ 0_0 }} {{ 1_000 }} {{ [1, 2].0x1 }} {{ 012.5 }} {{ 1_0.0_1e1_0 }}",
    "{{ 0xg }}",
    "{{ 012 }}",
    "{{ 1__0 }}",
    "{{ 1_ }}",
    "{{ 0b12 }}",
]


def plain_text(messages):
    return [{"role": m["role"], "content": "".join(p.get("text", "") for p in m["content"])} for m in messages]


def render(template, messages, form, add_generation_prompt):
    given = messages if form == "parts" else plain_text(messages)
    special = {"bos_token": "<s>", "eos_token": "</s>"}
    try:
        texts, _ = render_jinja_template(
            conversations=[given], chat_template=template, add_generation_prompt=add_generation_prompt, **special
        )
        return {"output": texts[0]}
    except (jinja2.TemplateSyntaxError, SyntaxError):
        return {"error": "syntax"}
    except jinja2.exceptions.FilterArgumentError:
        return {"error": "type"}
    except jinja2.UndefinedError:
        return {"error": "undefined"}
    except jinja2.exceptions.SecurityError:
        return {"error": "security"}
    except jinja2.TemplateError:
        return {"error": "raised"}
    except (TypeError, ValueError, LookupError, ZeroDivisionError, OverflowError):
        return {"error": "type"}


def case(name, template, messages, form, add_generation_prompt):
    return {
        "name": name,
        "template": template,
        "messages": messages,
        "form": form,
        "add_generation_prompt": add_generation_prompt,
        **render(template, messages, form, add_generation_prompt),
    }


def template_goldens():
    """All cases: conversations with and without the generation prompt, then the snippets."""
    cases = []
    for name, template, messages, form in CONVERSATIONS:
        for prompt in (True, False):
            cases.append(case(f"{name}{' +' if prompt else ''}", template, messages, form, prompt))
    for number, snippet in enumerate(SNIPPETS):
        # Writing the message at the end shows the interpreter that the template takes lists of parts.
        template = "{% set u = messages[0]['content'][0]['text'] %}" + snippet
        cases.append(case(f"snippet {number}", template, USER, "parts", True))
    return cases
