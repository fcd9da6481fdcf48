/*
 * Conversations held by kafkajs, the client written in JavaScript. Start them with `run`.
 *
 * kafkajs has only group consumers, so kcat reads back what is produced here, one JSON object per record. kafkajs also
 * cannot send a header without a value.
 */
'use strict'

const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const { execFile } = require('node:child_process')
const { promisify } = require('node:util')
const {
  CompressionCodecs, CompressionTypes, ConfigResourceTypes, ConfigSource, Kafka, Partitioners, logLevel,
} = require('kafkajs')
const lz4 = require('lz4-napi')
const snappy = require('snappy')

const TIME_LIMIT_MS = 90_000

// The two codecs are given to kafkajs as its documentation shows. This snappy is one raw block, without the framing
// that the Java client puts around it; brokers and clients read both.
CompressionCodecs[CompressionTypes.Snappy] = () => ({
  compress: encoder => snappy.compress(encoder.buffer),
  decompress: buffer => snappy.uncompress(buffer),
})
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer),
})

const [bootstrap, word = ''] = process.argv.slice(2)
if (!bootstrap || process.argv.length > 4) {
  console.error('usage: run HOST:PORT [WORD]\nheld are the conversations whose name contains WORD')
  process.exit(1)
}
const prefix = process.env.CUTAWAY_TOPIC_PREFIX || `run-${crypto.randomBytes(4).toString('hex')}`
const kafka = new Kafka({ brokers: [bootstrap], clientId: 'conversations', logLevel: logLevel.NOTHING })

/** A topic name that no other run uses. */
const topicName = purpose => `${prefix}-kafkajs-${purpose}`

/** Lends an admin client to `use`. */
async function withAdmin(use, settings) {
  const admin = kafka.admin(settings)
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

/** Lends an admin client and a topic that is gone after the conversation, however it ends. */
const withTopic = (purpose, settings, use) =>
  withAdmin(async admin => {
    const topic = topicName(purpose)
    await admin.createTopics({ topics: [{ topic, ...settings }] })
    try {
      return await use(admin, topic)
    } finally {
      await admin.deleteTopics({ topics: [topic] })
    }
  })

/** All settings of a topic or broker, by name. */
async function configsOf(admin, type, name) {
  const { resources } = await admin.describeConfigs({ resources: [{ type, name }] })
  return new Map(resources[0].configEntries.map(entry => [entry.configName, entry]))
}

/** Those settings of a topic that were made on the topic itself. */
async function setOn(admin, topic) {
  const entries = [...(await configsOf(admin, ConfigResourceTypes.TOPIC, topic)).values()]
  const own = entries.filter(({ configSource }) => configSource === ConfigSource.TOPIC_CONFIG)
  return Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue]))
}

/** Gives a topic these settings and takes away all others; kafkajs cannot change one and leave the rest. */
function replace(admin, topic, settings, { validateOnly = false } = {}) {
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }]
  return admin.alterConfigs({ validateOnly, resources })
}

/** Produces messages in one request and returns the broker's answer. */
async function produce(topic, messages, { settings = {}, ...options } = {}) {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, ...settings })
  await producer.connect()
  try {
    return await producer.send({ topic, messages, ...options })
  } finally {
    await producer.disconnect()
  }
}

/** Reads a partition from its start to its end with kcat. */
async function read(topic, { partition = 0, count } = {}) {
  const end = count === undefined ? ['-e'] : ['-c', `${count}`]
  const what = ['-C', '-q', '-J', '-t', topic, '-p', `${partition}`, '-o', 'beginning', ...end]
  const { stdout } = await promisify(execFile)('kcat', ['-b', bootstrap, ...what], { maxBuffer: 1 << 28 })
  return stdout.split('\n').filter(Boolean).map(line => JSON.parse(line))
}

/** The error with which a promise that must fail has failed. */
async function refusalOf(attempt) {
  try {
    await attempt
  } catch (error) {
    return error
  }
  throw new Error('this should have been refused and was not')
}

async function produceAndReadBack(compression) {
  const topic = topicName(`codec-${compression}`)
  const messages = [
    { key: 'key 1', value: 'value 1', headers: { colour: ['red', 'blue'], empty: '' }, timestamp: '1700000000123' },
    { key: 'key 2', value: null },
    { key: null, value: 'value 3' },
    { key: null, value: null },
    { key: '', value: '' },
    { key: 'schlüssel', value: 'repeated ¿ '.repeat(500) },
  ]
  await withAdmin(admin =>
    admin.createTopics({ topics: [{ topic, configEntries: [{ name: 'retention.ms', value: '-1' }] }] })
  )
  const startedMs = Date.now()
  const [answer] = await produce(topic, messages, { compression })
  const endedMs = Date.now()
  assert.deepEqual([answer.partition, answer.errorCode, answer.baseOffset], [0, 0, '0'], 'the answer to Produce')

  const records = await read(topic)
  assert.deepEqual(records.map(record => record.offset), [0, 1, 2, 3, 4, 5], 'offsets')
  assert.deepEqual(records.map(record => record.key), messages.map(message => message.key), 'keys')
  assert.deepEqual(records.map(record => record.payload), messages.map(message => message.value), 'values')
  assert.deepEqual(records[0].headers, ['colour', 'red', 'colour', 'blue', 'empty', ''], 'headers')
  assert.equal(records[0].ts, 1700000000123, 'the timestamp that was given')
  for (const { ts } of records.slice(1)) {
    assert.ok(startedMs <= ts && ts <= endedMs, `timestamp ${ts} is not when the record was produced`)
  }
}

const conversations = {
  'produce none, read back': () => produceAndReadBack(CompressionTypes.None),
  'produce gzip, read back': () => produceAndReadBack(CompressionTypes.GZIP),
  'produce snappy, read back': () => produceAndReadBack(CompressionTypes.Snappy),
  'produce lz4, read back': () => produceAndReadBack(CompressionTypes.LZ4),

  async 'create, list, describe and delete a topic'() {
    const topic = topicName('admin')
    await withAdmin(async admin => {
      const wanted = { topic, numPartitions: 3, replicationFactor: 1 }
      assert.equal(await admin.createTopics({ topics: [wanted] }), true, 'created the first time')
      assert.equal(await admin.createTopics({ topics: [wanted] }), false, 'created the second time')
      assert.ok((await admin.listTopics()).includes(topic), 'the topic is not listed after it was created')
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      const { controller, brokers } = await admin.describeCluster()
      assert.ok(brokers.some(broker => broker.nodeId === controller), `controller ${controller} is no broker`)
      for (const { partitionErrorCode, leader, replicas, isr } of topics[0].partitions) {
        assert.deepEqual({ partitionErrorCode, replicas, isr }, { partitionErrorCode: 0, replicas: [leader], isr: [leader] })
      }
      assert.deepEqual(topics[0].partitions.map(partition => partition.partitionId).sort(), [0, 1, 2])
      await admin.deleteTopics({ topics: [topic] })
      assert.ok(!(await admin.listTopics()).includes(topic), 'the topic is still listed after it was deleted')
    })
  },

  async 'topic creations that are refused, each with its code'() {
    const topic = topicName('refused')
    await withAdmin(async admin => {
      const attempts = [
        ['replication factor 3 on one node', { topic, replicationFactor: 3 }, 38],
        ['no partitions', { topic, numPartitions: 0 }, 37],
        ['an invalid name', { topic: 'no spaces allowed' }, 17],
        ['an unknown config', { topic, configEntries: [{ name: 'no.such.config', value: '1' }] }, 40],
      ]
      for (const [what, wanted, code] of attempts) {
        const refused = await refusalOf(admin.createTopics({ topics: [wanted] }))
        assert.equal(refused.errors?.[0].code, code, `${what}: ${refused.message}`)
      }
      const unknown = await refusalOf(admin.fetchTopicMetadata({ topics: [topic] }))
      assert.equal(unknown.code, 3, `metadata of an unknown topic: ${unknown.message}`)
    })
  },

  async 'settings of a topic: read, replaced, and what is refused'() {
    const configEntries = [{ name: 'retention.ms', value: '3600000' }]
    await withTopic('configured', { configEntries }, async (admin, topic) => {
      assert.deepEqual(await setOn(admin, topic), { 'retention.ms': '3600000' }, 'as created')
      const largest = (await configsOf(admin, ConfigResourceTypes.TOPIC, topic)).get('max.message.bytes')
      assert.deepEqual([largest.configValue, largest.configSource], ['1048588', ConfigSource.DEFAULT_CONFIG], 'a default')
      const wanted = { 'cleanup.policy': 'compact,delete', 'max.message.bytes': '2000' }
      await replace(admin, topic, wanted)
      assert.deepEqual(await setOn(admin, topic), wanted, 'after all were replaced')
      const refused = await refusalOf(produce(topic, [{ key: 'key', value: '.'.repeat(3000) }]))
      assert.equal(refused.code, 10, `a record of 3000 bytes: ${refused.message}`)
      const attempts = [
        ['an unknown setting', topic, { 'no.such.config': '1' }, 40],
        ['a value that is no number', topic, { 'retention.ms': 'soon' }, 40],
        ['one good, one bad', topic, { 'segment.ms': '60000', 'segment.bytes': 'many' }, 40],
        ['a topic that does not exist', `${topic}-other`, {}, 3],
      ]
      for (const [what, name, settings, code] of attempts) {
        const { code: got, message } = await refusalOf(replace(admin, name, settings))
        assert.equal(got, code, `${what}: ${message}`)
      }
      await replace(admin, topic, { 'retention.ms': '1' }, { validateOnly: true })
      assert.deepEqual(await setOn(admin, topic), wanted, 'what was refused or only tried changed')
      const unknown = await refusalOf(configsOf(admin, ConfigResourceTypes.TOPIC, `${topic}-other`))
      assert.equal(unknown.code, 3, `describing those of no topic: ${unknown.message}`)
    })
  },

  async 'settings of a broker'() {
    await withAdmin(async admin => {
      const { controller } = await admin.describeCluster()
      const node = (await configsOf(admin, ConfigResourceTypes.BROKER, `${controller}`)).get('node.id')
      assert.deepEqual([node.configValue, node.readOnly], [`${controller}`, true], 'node.id')
    })
  },

  async 'more partitions for a topic, and what is refused'() {
    await withTopic('extended', { numPartitions: 1 }, async (admin, topic) => {
      const extend = (count, { name = topic, validateOnly = false, assignments } = {}) =>
        admin.createPartitions({ validateOnly, topicPartitions: [{ topic: name, count, assignments }] })
      const partitions = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length
      await extend(3)
      // The brokers of a Kafka learn of new partitions a little after it was answered.
      while (await partitions() === 1) {}
      assert.equal(await partitions(), 3, 'partitions')
      await produce(topic, [{ value: 'to the last', partition: 2 }])
      assert.deepEqual((await read(topic, { partition: 2 })).map(record => record.payload), ['to the last'])
      await extend(9, { validateOnly: true })
      const attempts = [
        ['as many as there are', 3, {}, 37],
        ['fewer than there are', 2, {}, 37],
        ['a topic that does not exist', 2, { name: `${topic}-other` }, 3],
        ['a broker that does not exist', 4, { assignments: [[4711]] }, 39],
      ]
      for (const [what, count, options, code] of attempts) {
        const refused = await refusalOf(extend(count, options))
        assert.equal(refused.code, code, `${what}: ${refused.message}`)
      }
      assert.equal(await partitions(), 3, 'partitions in the end')
      const { topics } = await admin.listPartitionReassignments({ topics: [{ topic, partitions: [0, 1, 2] }] })
      assert.deepEqual(topics, [], 'partitions on their way to another broker')
    })
  },

  async 'the deletion of a topic that does not exist is refused'() {
    // Left alone, kafkajs asks again and again, in case the topic appears.
    const once = { retry: { retries: 0 } }
    await withAdmin(async admin => {
      const refused = await refusalOf(admin.deleteTopics({ topics: [topicName('never')] }))
      assert.equal(refused.cause?.type, 'UNKNOWN_TOPIC_OR_PARTITION', refused.message)
    }, once)
  },

  async 'a topic is created by producing to it'() {
    const topic = topicName('auto')
    await produce(topic, [{ value: 'first' }])
    assert.deepEqual((await read(topic)).map(record => record.payload), ['first'])
  },

  async 'two partitions, and their offsets by timestamp'() {
    const topic = topicName('two')
    await withAdmin(async admin => {
      const configEntries = [{ name: 'retention.ms', value: '-1' }]
      await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries }] })
      const messages = Array.from({ length: 1000 }, (_, number) =>
        ({ value: `${number}`, partition: number % 2, timestamp: `${1000 + number}` }))
      await produce(topic, messages)
      for (const partition of [0, 1]) {
        const values = (await read(topic, { partition })).map(record => record.payload)
        assert.deepEqual(values, messages.filter(message => message.partition === partition).map(message => message.value))
      }
      const offsets = await admin.fetchTopicOffsets(topic)
      assert.deepEqual(offsets.map(({ low, high }) => [low, high]), [['0', '500'], ['0', '500']], 'first and end offsets')
      const found = await admin.fetchTopicOffsetsByTimestamp(topic, 1500)
      assert.deepEqual(found.map(({ offset }) => offset), ['250', '250'], 'offsets at a timestamp')
    })
  },

  async 'a value near 1 MB, and one too large'() {
    const topic = topicName('large')
    const value = crypto.createHash('sha256').update('seed').digest('hex').repeat(15_600)
    await produce(topic, [{ value }])
    assert.ok((await read(topic))[0].payload === value, `a value of ${value.length} bytes came back changed`)
    const refused = await refusalOf(produce(topic, [{ value: value + value }], { settings: { retry: { retries: 0 } } }))
    assert.equal(refused.code ?? refused.cause?.code, 10, `a value of 2 MB: ${refused.message}`)
  },

  async '20 000 small records in order'() {
    const topic = topicName('many')
    const messages = Array.from({ length: 20_000 }, (_, number) => ({ value: `record ${number}` }))
    await produce(topic, messages, { compression: CompressionTypes.GZIP })
    const values = (await read(topic)).map(record => record.payload)
    assert.ok(values.join() === messages.map(message => message.value).join(), `${values.length} records, or another order`)
  },

  async 'idempotent producer'() {
    const topic = topicName('idempotent')
    const producer = kafka.producer({
      createPartitioner: Partitioners.DefaultPartitioner, idempotent: true, maxInFlightRequests: 1,
    })
    await producer.connect()
    for (let number = 0; number < 100; number++) {
      await producer.send({ topic, messages: [{ value: `${number} a` }, { value: `${number} b` }] })
    }
    await producer.disconnect()
    const expected = Array.from({ length: 200 }, (_, number) => `${number >> 1} ${number % 2 ? 'b' : 'a'}`)
    assert.deepEqual((await read(topic)).map(record => record.payload), expected)
  },

  async 'acks 0, 1 and all'() {
    const topic = topicName('acks')
    await produce(topic, [{ value: 'created' }])
    for (const acks of [1, -1, 0]) {
      await produce(topic, [{ value: `acks ${acks}` }], { acks })
    }
    // With acks=0 nobody says when the record is there, so the reader waits for four records instead of the end.
    const values = (await read(topic, { count: 4 })).map(record => record.payload)
    assert.deepEqual(values, ['created', 'acks 1', 'acks -1', 'acks 0'])
  },

  async 'two members share a topic, one leaves, and a later one goes on where they stopped'() {
    await withTopic('group', { numPartitions: 3 }, async (admin, topic) => {
      const read = []
      /** A member, its partitions, and what it reads into the one list. */
      const join = async () => {
        const member = { owned: [], consumer: kafka.consumer({ groupId: topic, sessionTimeout: 6000, heartbeatInterval: 300 }) }
        member.consumer.on(member.consumer.events.GROUP_JOIN, ({ payload }) => {
          member.owned = payload.memberAssignment[topic] || []
        })
        await member.consumer.connect()
        await member.consumer.subscribe({ topic, fromBeginning: true })
        await member.consumer.run({ eachMessage: async ({ message }) => read.push(message.value.toString()) })
        return member
      }
      const until = async holds => {
        while (!holds()) await new Promise(resolve => setTimeout(resolve, 20))
      }
      const [one, two] = [await join(), await join()]
      await until(() => one.owned.length + two.owned.length === 3 && one.owned.length && two.owned.length)
      const values = Array.from({ length: 30 }, (_, number) => `${number}`)
      await produce(topic, values.map((value, number) => ({ value, partition: number % 3 })))
      await until(() => read.length >= 30)
      assert.deepEqual([...read].sort((a, b) => a - b), values)
      await two.consumer.disconnect()
      await until(() => one.owned.length === 3)
      await one.consumer.disconnect()
      const committed = (await admin.fetchOffsets({ groupId: topic, topics: [topic] }))[0].partitions
      assert.deepEqual(committed.map(({ offset }) => offset), ['10', '10', '10'])
      await produce(topic, [{ value: 'later' }])
      const late = await join()
      await until(() => read.length > 30)
      assert.deepEqual(read.slice(30), ['later'])
      await late.consumer.disconnect()
      assert.ok((await admin.listGroups()).groups.some(({ groupId }) => groupId === topic))
      await admin.deleteGroups([topic])
    })
  },
}

/** Holds one conversation within the time limit and says how it went. */
async function holdOne(name, hold) {
  let timer
  const tooLong = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still unfinished after ${TIME_LIMIT_MS / 1000} s, given up`)), TIME_LIMIT_MS)
  })
  try {
    await Promise.race([hold(), tooLong])
    console.log(`ok kafkajs: ${name}`)
    return true
  } catch (problem) {
    console.log(`FAILED kafkajs: ${name}: ${problem.message.replace(/\s+/g, ' ').slice(0, 400)}`)
    return false
  } finally {
    clearTimeout(timer)
  }
}

async function holdAll() {
  const chosen = Object.entries(conversations).filter(([name]) => name.includes(word))
  let failed = chosen.length === 0
  for (const [name, hold] of chosen) {
    failed = !(await holdOne(name, hold)) || failed
  }
  // A conversation that was given up may still hold a connection open.
  process.exit(failed ? 1 : 0)
}

holdAll()
