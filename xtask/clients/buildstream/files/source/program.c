#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char text[16];

    strcpy(text, "compiled inside");
    printf("%s\n", text);
    return EXIT_SUCCESS;
}
