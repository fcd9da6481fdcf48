/*
 * Reads a topic as a member of a group, with kafkajs. Usage: kafkajs_reader.js HOST:PORT TOPIC GROUP
 *
 * Prints a line for each record, its partition, its offset and its value, and commits only what it has printed. SIGTERM ends it.
 */
'use strict'

const fs = require('node:fs')
const { AssignerProtocol, Kafka, logLevel } = require('kafkajs')

const { MemberAssignment, MemberMetadata } = AssignerProtocol
const [bootstrap, topic, group] = process.argv.slice(2)

// kafkajs knows an assigner of its own only; in a group with other clients it takes what all of them have.
const range = ({ cluster }) => ({
  name: 'range',
  version: 0,
  protocol: ({ topics }) => ({
    name: 'range',
    metadata: MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
  }),
  async assign({ members }) {
    const all = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId).sort((a, b) => a - b)
    const ids = members.map(({ memberId }) => memberId).sort()
    const share = index => Math.floor(all.length / ids.length) + (index < all.length % ids.length ? 1 : 0)
    let next = 0
    return ids.map((memberId, index) => {
      const partitions = all.slice(next, (next += share(index)))
      const assignment = { version: 0, assignment: { [topic]: partitions }, userData: Buffer.alloc(0) }
      return { memberId, memberAssignment: MemberAssignment.encode(assignment) }
    })
  },
})

const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 30, maxRetryTime: 1000 } })
const member = kafka.consumer({
  groupId: group, partitionAssigners: [range], sessionTimeout: 6000, heartbeatInterval: 300, rebalanceTimeout: 10000,
})
process.on('SIGTERM', async () => {
  await member.disconnect()
  process.exit(0)
})
member.connect()
  .then(() => member.subscribe({ topic, fromBeginning: true }))
  .then(() => member.run({
    autoCommitInterval: 500,
    eachMessage: async ({ partition, message }) => {
      fs.writeSync(1, Buffer.concat([Buffer.from(`${partition} ${message.offset} `), message.value, Buffer.from('\n')]))
    },
  }))
