/* hello [NAME...] greets each name, or the world; "-" greets the names on standard input. */
#include <stdlib.h>
#include <string.h>

#include "hello.h"

static int greet_all_from(FILE *in)
{
    char *line = NULL;
    size_t size = 0;
    int found;

    while ((found = read_line(in, &line, &size)) == 1) {
        if (greet(stdout, line) != 0) {
            found = -1;
            break;
        }
    }
    free(line);
    return found;
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (argc == 1)
        failed = greet(stdout, "");
    for (int i = 1; i < argc && !failed; i++)
        failed = strcmp(argv[i], "-") == 0 ? greet_all_from(stdin) : greet(stdout, argv[i]);

    /* A full disk shows up no earlier than here. */
    if (fclose(stdout) != 0 || failed) {
        perror("hello");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
