# Chat templates of the model families beyond SmolVLM, written with the constructs that theirs have.
# In: nothing. Out: FAMILY_CONVERSATIONS, which text_templates.py renders with transformers' own environment.
# The texts are our own; the constructs are those of Llama 3.1, Mistral v3, Granite 3.3, Granite Vision, LLaVA 1.6
# (Mistral and Vicuna), SmolVLM2 with videos and Granite-Docling.

# Tools in many branches that stay closed, a date where the environment has a clock.
LLAMA31 = """\
{{- bos_token }}
{%- if own_tools is defined %}
    {%- set tools = own_tools %}
{%- endif %}
{%- if not tools_first is defined %}
    {%- set tools_first = true %}
{%- endif %}
{%- if not day is defined %}
    {%- if strftime_now is defined %}
        {%- set day = strftime_now("%d %b %Y") | length %}
    {%- else %}
        {%- set day = "1 Jan 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system message leaves the list. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set first = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set first = "" %}
{%- endif %}

{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if given_tools is defined or tools is not none %}
    {{- "Tools: " + given_tools | reject('equalto', 'code') | join(", ") + "\\n\\n" }}
{%- endif %}
{{- "Characters of the date: " ~ day ~ "\\n\\n" }}
{%- if tools is not none and not tools_first %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- first }}
{{- "<|eot_id|>" }}

{%- if tools_first and not tools is none %}
    {%- if messages | length != 0 %}
        {%- set asked = messages[0]['content']|trim %}
        {%- set messages = messages[1:] %}
    {%- else %}
        {{- raise_exception("nobody asks") }}
    {%- endif %}
    {{- asked + "<|eot_id|>" -}}
{%- endif %}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("one call at a time") }}
        {%- endif %}
        {{- message.tool_calls[0].function.arguments | tojson }}
    {%- elif message.content is mapping or message.content is iterable %}
        {{- message.content | tojson }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
# Messages counted in a namespace, compared as a whole, filtered by what they lack.
MISTRAL_V3 = """\
{%- if messages[0]["role"] == "system" %}
    {%- set before = messages[0]["content"] %}
    {%- set turns = messages[1:] %}
{%- else %}
    {%- set turns = messages %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- set asked = turns | selectattr("role", "equalto", "user") | list %}
{#- Users and assistants take turns. #}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in turns | rejectattr("role", "equalto", "tool") | selectattr("tool_calls", "undefined") %}
    {%- if not (message.role == "tool" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("Users and assistants must take turns") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in turns %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == asked[-1]) %}
            {%- for key, val in tools[0].items() if key != "return" %}
                {%- if val is string %}{{- '"' + key + '": "' + val + '"' }}{%- else %}{{- val|tojson }}{%- endif %}
            {%- endfor %}
        {%- endif %}
        {%- if loop.last and before is defined %}
            {{- "[INST] " + before + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
        {{- "!" if message == asked[-1] }}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- else %}
        {{- raise_exception("Only users and assistants may speak here") }}
    {%- endif %}
{%- endfor %}
"""
# Names that nobody sets, a default system message put together of parts.
GRANITE33 = """\
{# tools have two names #}
{%- if tools and not available_tools -%}
    {%- set available_tools = tools -%}
{%- endif -%}
{%- if messages[0]['role'] == 'system' %}
    {%- set first = messages[0]['content'] %}
    {%- set turns = messages[1:] %}
{%- else %}
    {%- set first = "Known until 2024.
You are a test." %}
    {%- if available_tools and documents %}
        {%- set first = first + " Tools and documents." %}
    {%- elif available_tools %}
        {%- set first = first + " Tools." %}
    {%- elif documents %}
        {%- set first = first + " Documents." %}
    {%- elif thinking %}
        {%- set first = first + " Think." %}
    {%- else %}
        {%- set first = first + " Answer." %}
    {%- endif %}
    {%- if 'citations' in controls and documents %}
        {%- set first = first + '
Cite.' %}
    {%- endif %}
    {%- set turns = messages %}
{%- endif %}
{{- '<|start_of_role|>system<|end_of_role|>' + first + '<|end_of_text|>
' }}
{%- if documents %}
    {%- for document in documents %}
        {{- document['title'] | string + ' ' + loop.index | string }}
    {%- endfor %}
{%- endif %}
{%- for message in turns %}
    {{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' + message['content'] + '<|end_of_text|>
' }}
    {%- if loop.last and add_generation_prompt %}
        {{- '<|start_of_role|>assistant' }}
            {%- if controls %}
                {{- ' ' + controls | tojson()}}
            {%- endif %}
        {{- '<|end_of_role|>' }}
    {%- endif %}
{%- endfor %}
"""
# Pictures first, then text; the else branch of a filtered loop; a message in the loop's own text.
GRANITE_VISION = """\
{%- if tools %}
    {{- '<|start_of_role|>available_tools<|end_of_role|>
' }}
{%- endif %}
{%- for message in messages if message['role'] == 'system'%}{% else %}<|system|>
A person asks a small test about pictures.
{% endfor %}{%- for message in messages %}
    {%- if message['role'] == 'system' %}
<|system|>
{{ message['content'][0]['text'] }}
    {%- elif message['role'] == 'user' %}
<|user|>
{# pictures #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>
' }}{% endfor %}{# words #}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + '
' }}{% endfor %}
    {%- elif message['role'] == 'assistant' %}
<|assistant|>
{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + '
' }}{% endfor %}{{'<|end_of_text|>'}}
    {%- endif %}
    {%- if loop.last and add_generation_prompt %}
    {{- '<|assistant|>
' }}
    {%- endif %}
{%- endfor %}
"""
LLAVA_MISTRAL = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ '<<SYS>>\\n' + message['content'][0]['text'] +"
    " '\\n<</SYS>>\\n\\n' }}{% elif message['role'] == 'user' %}{{ '[INST] ' }}{# pictures #}{% for content in"
    " message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}{# words #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] }}{% endfor %}"
    "{{' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'][0]['text'] + '</s> '}}"
    "{% else %}{{ raise_exception('Nobody else may speak') }}{% endif %}{% endfor %}"
)
SMOLVLM_VIDEO = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% elif line['type'] == 'video' %}{{ '<video>' }}{% endif %}"
    "{% endfor %}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
DOCLING = """\
{%- for message in messages -%}
{{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' -}}
{%- if message['content'] is string -%}
{{- message['content'] -}}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'text' -%}
{{- part['text'] -}}
{%- elif part['type'] == 'image' -%}
{{- '<image>' -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|end_of_text|>
' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|start_of_role|>assistant' -}}
{%- if controls -%}
{{- ' ' + controls | tojson() -}}
{%- endif -%}
{{- '<|end_of_role|>' -}}
{%- endif -%}
"""


def family_conversations(ask, talk, plain, wrong, two):
    """(name, template, messages, form) of every family, for the conversations of text_templates.py."""
    video = {"type": "video"}
    film = [{"role": "user", "content": [video, {"type": "text", "text": "What happens?"}]}]
    both = [{"role": "user", "content": [{"type": "image"}, video, {"type": "text", "text": " Same?"}, video]}]
    rows = [(f"llama31 {name}", LLAMA31, m, "text") for name, m in [("talk", talk), ("plain", plain), ("wrong", wrong)]]
    rows += [(f"mistral3 {name}", MISTRAL_V3, m, "text") for name, m in [("talk", talk), ("plain", plain), ("wrong", wrong)]]
    rows += [(f"granite33 {name}", GRANITE33, m, "text") for name, m in [("talk", talk), ("plain", plain)]]
    pictures = [("ask", ask), ("talk", talk), ("plain", plain), ("two", two)]
    for family, template in [("granite vision", GRANITE_VISION), ("llava mistral", LLAVA_MISTRAL), ("docling", DOCLING)]:
        rows += [(f"{family} {name}", template, m, "parts") for name, m in pictures]
    rows += [(f"smolvlm2 {name}", SMOLVLM_VIDEO, m, "parts") for name, m in [*pictures, ("film", film), ("both", both)]]
    return rows
