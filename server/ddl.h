// A schema's tables as SQL, put together from its descriptors.
#ifndef CHARLE_SERVER_DDL_H
#define CHARLE_SERVER_DDL_H

#include "base/buf.h"
#include "db/schema.h"

// Appends the statements for PostgreSQL, with stamping triggers, in an order in which they can be run: the platform's own SQL must be there first. The
// first line names the schema and its hash, as migrations do.
void ch_ddl_write(const struct charle_schema *schema, struct charle_buf *buf);

#endif
