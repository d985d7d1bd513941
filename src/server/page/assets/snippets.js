// The request as a program: curl in a shell, Python with the openai package. Pictures are read from files by their
// names, and the key comes from the environment, so that what is copied holds no secret.

import {newId} from './dom.js';

/** Marks to stand for pictures in a body until they are written as the language has it. */
export function pictureMarks(pictures) {
  const secret = newId();
  return new Map(pictures.map((picture, i) => [picture.id, {mark: `${secret}-${i}`, number: i + 1, ...picture}]));
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** A shell script. Works with any POSIX shell. */
export function asCurl(base, body, marks, needsKey) {
  const lines = [...marks.values()].map(({number, name}) => `PICTURE_${number}=$(base64 < ${quoted(name)} | tr -d '\\n')`);
  // The text stands in a here-document in which the shell replaces variables.
  let json = JSON.stringify(body, null, 2).replace(/[\\$`]/g, '\\$&');
  for (const {mark, number, type} of marks.values()) json = json.replaceAll(mark, `data:${type};base64,$PICTURE_${number}`);
  const key = needsKey ? '  -H "Authorization: Bearer $GALAGO_API_KEY" \\\n' : '';
  lines.push(`curl -sS --no-buffer ${base}/chat/completions \\\n${key}  -H 'Content-Type: application/json' \\\n  -d @- <<JSON`, json, 'JSON');
  return `${lines.join('\n')}\n`;
}

function python(value, marks, indent) {
  const inner = `${indent}    `;
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'string') {
    const marked = marks.find(({mark}) => mark === value);
    return marked ? `picture(${JSON.stringify(marked.name)}, ${JSON.stringify(marked.type)})` : JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    return value.length ? `[\n${value.map((item) => `${inner}${python(item, marks, inner)},\n`).join('')}${indent}]` : '[]';
  }
  if (typeof value === 'object') {
    const items = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${python(item, marks, inner)}`);
    if (items.join(', ').length + inner.length < 88 && !items.some((item) => item.includes('\n'))) return `{${items.join(', ')}}`;
    return `{\n${items.map((item) => `${inner}${item},\n`).join('')}${indent}}`;
  }
  return String(value);
}

const PICTURE = `def picture(path, media_type):
    with open(path, "rb") as file:
        return f"data:{media_type};base64," + base64.b64encode(file.read()).decode()


`;

/** A Python program. */
export function asPython(base, body, marks) {
  const all = [...marks.values()];
  const imports = ['os', ...(all.length ? ['base64'] : [])].sort().map((name) => `import ${name}\n`).join('');
  const fields = Object.entries(body).map(([name, value]) => `    ${name}=${python(value, all, '    ')},\n`).join('');
  return `${imports}
from openai import OpenAI

${all.length ? `\n${PICTURE}` : ''}client = OpenAI(base_url=${JSON.stringify(base)}, api_key=os.environ.get("GALAGO_API_KEY", "none"))
stream = client.chat.completions.create(
${fields})
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
`;
}
