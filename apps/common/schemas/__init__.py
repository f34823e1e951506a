"""JSON Schema: the one factory of validators, errors as sentences, and the schema that an action's input must obey.

``compile_schema(schema).errors(value)`` for schemas of ours; ``compile_input_schema(schema)`` for what users write.
"""

from .inputs import INPUT_SCHEMA, InputSchema, coerce, coerce_text, compile_input_schema, input_schema_errors
from .validation import Schema, SchemaRefused, compile_schema, pointer_to

__all__ = [
    "INPUT_SCHEMA",
    "InputSchema",
    "Schema",
    "SchemaRefused",
    "coerce",
    "coerce_text",
    "compile_input_schema",
    "compile_schema",
    "input_schema_errors",
    "pointer_to",
]
