// From protoc's request to the files of its answer: all of the plugin but reading and writing.
#ifndef CHARLE_GEN_GENERATE_H
#define CHARLE_GEN_GENERATE_H

#include "gen.h"

// Reads the schema and, when gen->diag has no error after it, puts the files into *response, which then points into gen and its arena.
// False when the request is not one that protoc makes. Call ch_generate_end afterwards in either case.
bool ch_generate(struct ch_gen *gen, const ChPlugin__Request *request, ChPlugin__Response *response);
void ch_generate_end(struct ch_gen *gen);

#endif
