// The one program of a test tree. It does or tries one small thing and says what happened.
//
//   probe COMMAND [WORD]... [, COMMAND [WORD]...]...
//
// Commands separated by a lone comma are carried out in turn, until one has a status that is not 0.
#include "probe.h"

static const struct { int number; const char *name; } errors[] = {
    {EPERM, "EPERM"}, {ENOENT, "ENOENT"}, {ESRCH, "ESRCH"}, {EIO, "EIO"}, {ENXIO, "ENXIO"},
    {E2BIG, "E2BIG"}, {ENOEXEC, "ENOEXEC"}, {EBADF, "EBADF"}, {EAGAIN, "EAGAIN"},
    {ENOMEM, "ENOMEM"}, {EACCES, "EACCES"}, {EBUSY, "EBUSY"}, {EEXIST, "EEXIST"},
    {ENODEV, "ENODEV"}, {ENOTDIR, "ENOTDIR"}, {EISDIR, "EISDIR"}, {EINVAL, "EINVAL"},
    {ENOTTY, "ENOTTY"}, {EFBIG, "EFBIG"}, {ENOSPC, "ENOSPC"}, {EROFS, "EROFS"}, {ELOOP, "ELOOP"},
    {ENOSYS, "ENOSYS"}, {ENOTEMPTY, "ENOTEMPTY"}, {EOVERFLOW, "EOVERFLOW"},
    {ENETUNREACH, "ENETUNREACH"}, {ENETDOWN, "ENETDOWN"}, {ECONNREFUSED, "ECONNREFUSED"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL"}, {EIDRM, "EIDRM"}, {ERANGE, "ERANGE"},
    {EXDEV, "EXDEV"},
    {ETXTBSY, "ETXTBSY"}, {ENOKEY, "ENOKEY"}, {EAFNOSUPPORT, "EAFNOSUPPORT"},
};

int report(long result)
{
    if (result >= 0) {
        puts("ok");
        return 0;
    }
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].number == errno) {
            puts(errors[i].name);
            return 0;
        }
    printf("errno %d\n", errno);
    return 0;
}

static int run(char **words)
{
    const struct command *parts[] = {file_commands,   process_commands, life_commands,
                                     system_commands, network_commands, caller_commands,
                                     escape_files_commands,
                                     escape_files_write_commands, escape_files_caller_commands,
                                     escape_kernel_commands,
                                     escape_privilege_commands, escape_network_commands,
                                     escape_terminal_commands, ladder_commands};
    int count = 0;
    while (words[count + 1])
        count++;
    for (size_t part = 0; part < sizeof parts / sizeof *parts; part++)
        for (const struct command *command = parts[part]; command->name; command++)
            if (!strcmp(command->name, words[0]) && count >= command->words)
                return command->run(words + 1);
    fprintf(stderr, "probe: no command '%s' with %d words\n", words[0], count);
    return 99;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2) {
        fprintf(stderr, "usage: probe COMMAND [WORD]... [, COMMAND [WORD]...]...\n");
        return 99;
    }
    // What follows `args` is data, commas and all.
    if (!strcmp(argv[1], "args"))
        return run(argv + 1);
    char **start = argv + 1;
    for (char **word = start;; word++) {
        int last = !*word;
        if (!last && strcmp(*word, ","))
            continue;
        *word = NULL;
        int status = start < word ? run(start) : 0;
        fflush(stdout);
        if (status || last)
            return status;
        start = word + 1;
    }
}
