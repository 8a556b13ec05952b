import test from 'ava'
import { KnownTree } from './known-tree.ts'
import { root } from './tree.ts'

test('what was begun before something was forgotten does not count', (t) => {
  const known = new KnownTree()
  const before = known.age
  known.forget()
  known.know(root([]), before)
  t.is(known.tree, undefined)
  const tree = root([])
  known.know(tree, known.age)
  t.is(known.tree, tree)
  known.forget()
  t.is(known.tree, undefined)
})
