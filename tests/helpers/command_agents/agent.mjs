// An agent in Node, with nothing but what Node has: `node agent.mjs CALLS < question` talks so many turns.
// With an address as second argument it asks there, and not where its environment says.
const calls = Number(process.argv[2])
const url = process.argv[3] ?? process.env.OPENAI_BASE_URL
let question = ''
for await (const piece of process.stdin) question += piece
const messages = [{ role: 'user', content: question.trim() }]
const said = []
for (let turn = 0; turn < calls; turn++) {
  const reply = await fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${process.env.OPENAI_API_KEY}` },
    body: JSON.stringify({ model: 'test-model', messages, max_tokens: 12 }),
  })
  if (!reply.ok) {
    console.error(`the server says ${reply.status}: ${await reply.text()}`)
    process.exit(3)
  }
  const content = (await reply.json()).choices[0].message.content
  said.push(content)
  messages.push({ role: 'assistant', content }, { role: 'user', content: `and then? ${turn}` })
}
console.log(said.join(' / '))
