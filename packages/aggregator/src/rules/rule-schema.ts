/** The JSON Schema of rule documents, made from the schemas that read them. */
import { z } from 'zod'
import { ruleDocuments } from './rule-document.js'

export function ruleJsonSchema(): object {
  const properties: Record<string, object> = {}
  for (const [kind, document] of Object.entries(ruleDocuments)) {
    const { $schema: _, ...schema } = z.toJSONSchema(document, { io: 'input', unrepresentable: 'any' }) as Record<
      string,
      unknown
    >
    properties[kind] = schema
  }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Varve rules',
    description: 'A file of rules: documents by kind and name. A single document is described by $defs/<kind>.',
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(
      Object.keys(properties).map((kind) => [
        kind,
        { type: 'object', additionalProperties: { $ref: `#/$defs/${kind}` } },
      ]),
    ),
    $defs: properties,
  }
}
