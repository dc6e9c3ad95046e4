// An agent in Node that edits a file where it works: it asks which line to replace by which, three times.
import { readFileSync, writeFileSync } from 'node:fs'
let task = ''
for await (const piece of process.stdin) task += piece
for (let turn = 0; turn < 3; turn++) {
  const text = readFileSync('module.py', 'utf8')
  const reply = await fetch(`${process.env.OPENAI_BASE_URL}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${process.env.OPENAI_API_KEY}` },
    body: JSON.stringify({ model: 'test-model', messages: [{ role: 'user', content: `${task}\n\n${text}` }] }),
  })
  if (!reply.ok) process.exit(3)
  const [from, to] = (await reply.json()).choices[0].message.content.split(' => ')
  if (to !== undefined) writeFileSync('module.py', text.replace(from, () => to))
}
console.log('I have mended what I could.')
