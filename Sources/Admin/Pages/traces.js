// Draws what traces.json tells. All of it may come from clients: it is set as text, never as markup.
'use strict'

const kinds = { 1: 'internal', 2: 'server', 3: 'client', 4: 'producer', 5: 'consumer' }
const interval = 2000
const list = document.getElementById('traces')
const message = document.getElementById('message')
const filter = document.getElementById('filter')
const failedOnly = document.getElementById('failed')
const live = document.getElementById('live')
const access = document.getElementById('access')
const token = document.getElementById('token')
let traces = []
let drawn = ''
let open = new Set(location.hash.length > 1 ? [location.hash.slice(1)] : [])

function element(tag, classes, ...content) {
  const made = document.createElement(tag)
  if (classes) made.className = classes
  made.append(...content)
  return made
}

function duration(nanoseconds) {
  const microseconds = Number(nanoseconds) / 1e3
  if (microseconds < 1e3) return microseconds.toFixed(0) + ' µs'
  if (microseconds < 1e6) return (microseconds / 1e3).toFixed(microseconds < 1e4 ? 2 : 1) + ' ms'
  return (microseconds / 1e6).toFixed(2) + ' s'
}

// What is drawn of a trace: its spans in the order of the tree, each with its depth, and the times of the whole.
function arrange(trace) {
  const spans = trace.spans.map(span => ({
    ...span, start: BigInt(span.startTimeUnixNano), end: BigInt(span.endTimeUnixNano), children: [],
  }))
  const known = new Map(spans.map(span => [span.spanId, span]))
  const roots = []
  for (const span of spans) {
    const parent = known.get(span.parentSpanId)
    if (parent && parent !== span) parent.children.push(span)
    else roots.push(span)
  }
  const byStart = (a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0)
  const ordered = []
  const place = (span, depth) => {
    ordered.push({ span, depth })
    span.children.sort(byStart).forEach(child => place(child, depth + 1))
  }
  roots.sort(byStart).forEach(root => place(root, 0))
  const start = spans.reduce((least, span) => (span.start < least ? span.start : least), spans[0].start)
  const end = spans.reduce((most, span) => (span.end > most ? span.end : most), spans[0].end)
  const first = ordered[0].span
  return {
    id: trace.traceId, ordered, start, end, first,
    status: first.attributes['http.response.status_code'],
    failed: spans.some(span => span.status === 'error'),
    text: JSON.stringify(trace).toLowerCase(),
  }
}

function row(name, value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return element('tr', '', element('td', '', name), element('td', '', text))
}

function details(span) {
  const table = element('table', 'attributes')
  table.append(row('span id', span.spanId))
  if (span.traceState) table.append(row('tracestate', span.traceState))
  for (const [name, value] of Object.entries(span.attributes)) table.append(row(name, value))
  for (const event of span.events ?? []) {
    const pairs = Object.entries(event.attributes).map(([name, value]) => `${name}=${value}`).join(' ')
    table.append(row(event.name, pairs))
  }
  for (const link of span.links ?? []) table.append(row('link', `${link.traceId} ${link.spanId}`))
  return table
}

function waterfall(trace) {
  const box = element('div', 'waterfall')
  box.append(element('div', 'identity', 'trace ', trace.id))
  const whole = Number(trace.end - trace.start) || 1
  for (const { span, depth } of trace.ordered) {
    const failed = span.status === 'error' ? ' failed' : ''
    const called = span.attributes['banyan.part'] ?? span.attributes['banyan.upstream'] ?? ''
    const label = element('span', 'label' + failed, called ? `${span.name} → ${called}` : span.name)
    label.style.paddingLeft = depth * 1.1 + 'rem'
    label.title = kinds[span.kind] ?? ''
    const bar = element('span', `bar kind-${span.kind}${failed}`)
    bar.style.left = (100 * Number(span.start - trace.start)) / whole + '%'
    bar.style.width = (100 * Number(span.end - span.start)) / whole + '%'
    const line = element(
      'button', 'span', label, element('span', 'track', bar),
      element('span', 'duration', duration(span.end - span.start)))
    line.type = 'button'
    line.setAttribute('aria-expanded', 'false')
    let shown = null
    line.addEventListener('click', () => {
      if (shown) shown.remove()
      shown = shown ? null : details(span)
      if (shown) line.after(shown)
      line.setAttribute('aria-expanded', String(shown !== null))
    })
    box.append(line)
  }
  return box
}

function summary(trace) {
  const line = element('summary', '')
  const time = new Date(Number(trace.start / 1000000n)).toISOString().slice(11, 23)
  line.append(
    element('span', 'time', time),
    element('span', trace.failed ? 'status failed' : 'status', String(trace.status ?? '—')),
    element('span', 'name', trace.first.name),
    element('span', 'served', trace.first.attributes['banyan.served_by'] ?? ''),
    element('span', 'duration', duration(trace.end - trace.start)),
    element('span', 'count', trace.ordered.length === 1 ? '1 span' : trace.ordered.length + ' spans'))
  return line
}

function draw() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean)
  const shown = traces.filter(
    trace => (!failedOnly.checked || trace.failed) && words.every(word => trace.text.includes(word)))
  list.replaceChildren(
    ...shown.map(trace => {
      const box = element('details', 'trace', summary(trace))
      box.dataset.trace = trace.id
      const unfold = () => { if (box.children.length === 1) box.append(waterfall(trace)) }
      if (open.has(trace.id)) {
        box.open = true
        unfold()
      }
      box.addEventListener('toggle', () => {
        if (box.open) {
          open.add(trace.id)
          unfold()
        } else {
          open.delete(trace.id)
        }
      })
      return box
    }))
  const count = shown.length === traces.length ? String(traces.length) : `${shown.length} of ${traces.length}`
  message.textContent =
    traces.length === 0 ? 'No trace yet: send a request through the gateway.' : `${count} traces, the latest first.`
}

// A row that somebody reads must not be drawn anew under their eyes.
function isReading() {
  return document.querySelector('.attributes') !== null || String(document.getSelection()).length > 0
}

async function load() {
  const fields = { Accept: 'application/json' }
  const held = sessionStorage.getItem('token')
  if (held) fields.Authorization = 'Bearer ' + held
  try {
    const answer = await fetch('traces.json', { headers: fields, cache: 'no-store' })
    const problem = answer.ok ? {} : await answer.json().catch(() => ({}))
    access.hidden = answer.status !== 401
    if (!answer.ok) {
      message.textContent = problem.detail ?? `The gateway answered ${answer.status}.`
      return
    }
    const text = await answer.text()
    if (text === drawn || (drawn !== '' && isReading())) return
    drawn = text
    traces = JSON.parse(text).map(arrange)
    draw()
  } catch (failure) {
    message.textContent = 'The gateway does not answer: ' + failure.message
  }
}

access.addEventListener('submit', event => {
  event.preventDefault()
  sessionStorage.setItem('token', token.value)
  load()
})
filter.addEventListener('input', draw)
failedOnly.addEventListener('input', draw)
setInterval(() => { if (live.checked && !document.hidden && access.hidden) load() }, interval)
load()
