// What the command line has for CharleOS alone: an agency's development data (cmd_seed.c).
#ifndef CHARLE_TOOLS_AGENCY_H
#define CHARLE_TOOLS_AGENCY_H

#include "cli.h"

extern const struct charle_cli_extra agency_extra;

#endif
