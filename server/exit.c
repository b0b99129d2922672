#include "server/exit.h"

#include <stdio.h>

void ch_exit_print_table(void)
{
#define PRINT(name, number, text) printf("  %d  %s\n", number, text);
    CH_EXITS(PRINT)
#undef PRINT
}
