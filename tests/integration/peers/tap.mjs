// Read names of TAP files, and write what node's tap-parser says of each as a line of JSON.
import { readFileSync } from 'node:fs'
import { Parser } from 'tap-parser'

for (const file of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const said = { file, count: 0, bad: 0 }
  const parser = new Parser()
  parser.on('assert', point => {
    said.count += 1
    said.bad += !point.ok && !point.todo && !point.skip ? 1 : 0
  })
  parser.on('complete', results => {
    said.good = results.ok
    said.why = (results.failures ?? []).map(each => each.tapError ?? '').filter(Boolean).join('; ')
  })
  parser.end(readFileSync(file, 'utf8'))
  console.log(JSON.stringify(said))
}
