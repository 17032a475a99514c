/* What is said. */
#include "hello.h"

int greet(FILE *out, const char *name)
{
    return fprintf(out, "Hello, %s!\n", *name ? name : "world") < 0 ? -1 : 0;
}
