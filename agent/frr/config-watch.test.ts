import test from 'ava'
import { ConfigWatch } from './config-watch.ts'
import { ownership } from './daemons.ts'
import { parse } from './text.ts'

const text = (...networks: string[]) =>
  `router bgp 1\n address-family ipv4 unicast\n${networks.map((each) => `  network ${each}\n`).join('')} exit-address-family\nexit\n`

/** An FRR whose bgpd prints what the test says. */
function printing(...first: string[]) {
  const state = { networks: first, reads: 0, whilePrinting: () => {} }
  const print = async (how: 'send' | 'digest') => {
    const printed = text(...state.networks)
    if (how === 'digest') return new Map([['bgpd', `digest of ${printed}`]] as const)
    state.reads++
    state.whilePrinting()
    return new Map([['bgpd', printed]] as const)
  }
  return { state, watch: new ConfigWatch({ mode: 'managed', ownership, print }) }
}

test('what does not change is read once', async (t) => {
  const { state, watch } = printing('10.0.0.0/8')
  for (let look = 0; look < 3; look++) t.false(await watch.drifted())
  t.is(state.reads, 1)
})

test('while nothing is known, each other configuration is a change, also the one before', async (t) => {
  const { state, watch } = printing('10.0.0.0/8')
  t.false(await watch.drifted())
  state.networks = ['11.0.0.0/8']
  t.true(await watch.drifted())
  t.false(await watch.drifted())
  state.networks = ['10.0.0.0/8']
  t.true(await watch.drifted())
})

test('what somebody has read already is no change', async (t) => {
  const { state, watch } = printing('10.0.0.0/8')
  await watch.running()
  state.networks = ['11.0.0.0/8']
  await watch.running()
  t.false(await watch.drifted())
})

test('own changes are none, whatever the order they are printed in', async (t) => {
  const { state, watch } = printing('10.0.0.0/8')
  await watch.running()
  watch.known.know(parse(text('12.0.0.0/8', '11.0.0.0/8')), watch.known.age)
  state.networks = ['11.0.0.0/8', '12.0.0.0/8']
  t.false(await watch.drifted())
  t.not(watch.known.tree, undefined)
  const { reads } = state
  t.false(await watch.drifted())
  t.is(state.reads, reads)
})

test('what is not as known is a change, and not known any more', async (t) => {
  const { watch } = printing('10.0.0.0/8')
  watch.known.know(parse(text('11.0.0.0/8')), watch.known.age)
  t.true(await watch.drifted())
  t.is(watch.known.tree, undefined)
  t.false(await watch.drifted())
})

test('a look in the middle of an own change says nothing, the next one does', async (t) => {
  const { state, watch } = printing('10.0.0.0/8')
  await watch.running()
  watch.known.know(parse(text('10.0.0.0/8')), watch.known.age)
  state.networks = ['11.0.0.0/8']
  watch.entering++
  t.false(await watch.drifted())
  watch.entering--
  t.true(await watch.drifted())

  watch.known.know(parse(text('12.0.0.0/8')), watch.known.age)
  state.whilePrinting = () => watch.known.forget()
  t.false(await watch.drifted())
})

test('after a restart the first look is no change', async (t) => {
  const { state, watch } = printing('10.0.0.0/8')
  await watch.running()
  watch.reset()
  state.networks = ['11.0.0.0/8']
  t.false(await watch.drifted())
})
