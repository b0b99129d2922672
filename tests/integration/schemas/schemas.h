// The unseen schemas. Each is a .proto file of this folder with a table `person` of people who sign in.
#ifndef CHARLE_TESTS_SCHEMAS_SCHEMAS_H
#define CHARLE_TESTS_SCHEMAS_SCHEMAS_H

#include "db/schema.h"

//  X(schema)
#define SCHEMAS(X) X(types) X(words) X(shapes)

#define SCHEMA_DECLARE(name) extern const struct charle_schema name##_schema;
SCHEMAS(SCHEMA_DECLARE)
#undef SCHEMA_DECLARE

#define SCHEMA_POINTER(name) &name##_schema,
#define SCHEMA_LIST {SCHEMAS(SCHEMA_POINTER) NULL}

#endif
