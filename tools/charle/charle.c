// charle: the command line of CharleOS.
#include "agency.h"
#include "charleos.schema.charle.h"

int main(int argc, char **argv)
{
    const struct charle_cli_app app = {.name = "charle",
                                       .about = "a laptop's view of an agency's database, online and offline",
                                       .version = CHARLE_VERSION_TEXT,
                                       .server = "charled",
                                       .schema = &charleos_schema,
                                       .principal = "user",
                                       .extra = &agency_extra};
    return charle_cli_main(&app, argc, argv);
}
