/* Lines of any length, with getline where configure found it. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "hello.h"

#ifdef HAVE_GETLINE

int read_line(FILE *in, char **line, size_t *size)
{
    ssize_t length = getline(line, size, in);

    if (length < 0)
        return feof(in) ? 0 : -1;
    if (length > 0 && (*line)[length - 1] == '\n')
        (*line)[length - 1] = '\0';
    return 1;
}

#else

int read_line(FILE *in, char **line, size_t *size)
{
    size_t length = 0;
    int c;

    while ((c = getc(in)) != EOF && c != '\n') {
        if (length + 2 > *size) {
            size_t larger = *size ? *size * 2 : 64;
            char *moved = realloc(*line, larger);

            if (moved == NULL)
                return -1;
            *line = moved;
            *size = larger;
        }
        (*line)[length++] = (char)c;
    }
    if (c == EOF && length == 0)
        return 0;
    if (*size == 0) {
        *line = malloc(*size = 64);
        if (*line == NULL)
            return -1;
    }
    (*line)[length] = '\0';
    return 1;
}

#endif
