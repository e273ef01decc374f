"""Chat templates of well-known models, and one that uses much of what Jinja has."""

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA_3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
    "message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
    "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
MIXED = (
    "{%- set ns = namespace(n=0, text='') %}\n"
    "{%- macro turn(m) %}[{{ m.role | upper }}]{{ m['content'] | tojson }}{% endmacro %}\n"
    "{%- for m in messages %}\n{%- if loop.index > 3 %}{% break %}{% endif %}\n"
    "{%- set ns.n = ns.n + 1 %}{{- turn(m) }}\n{%- endfor %}\n"
    "{%- if tools is not none %}tools{% endif %} {{ ns.n }} {{ range(3) | list }} {{ eos_token }}\n"
    "{%- generation %}here{% endgeneration %}"
)
