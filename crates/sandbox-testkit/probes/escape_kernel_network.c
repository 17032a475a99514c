// Attacks by sockets. They reach nothing but the machine that they run on.
#include "probe.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <linux/if_packet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

// send-udp PORT: a datagram to the loopback address, and an answer awaited.
static int send_udp(char **words)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(words[0])),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_usec = 300000};
    char got[8];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (void *)&to, sizeof to) || write(fd, "ping", 4) != 4)
        return report(-1);
    return report(read(fd, got, sizeof got));
}

// connect-6 PORT: to the loopback address of IPv6.
static int connect_6(char **words)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(atoi(words[0])),
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    return report(connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&to, sizeof to));
}

// connect-path PATH
static int connect_path(char **words)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", words[0]);
    return report(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&to, sizeof to));
}

// send-abstract NAME: a datagram to a socket without a file.
static int send_abstract(char **words)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t length = strlen(words[0]);
    memcpy(to.sun_path + 1, words[0], length);
    return report(sendto(socket(AF_UNIX, SOCK_DGRAM, 0), "x", 1, 0, (void *)&to,
                         offsetof(struct sockaddr_un, sun_path) + 1 + length));
}

struct ask {
    struct nlmsghdr header;
    union {
        struct rtgenmsg any;
        struct ifinfomsg link;
        struct inet_diag_req_v2 sockets;
    };
};

// Sends a request and reads the answers; `each` looks at those that are data. The answer to the request
// as a whole is that of the function.
static int netlink(int protocol, struct ask *ask, int (*each)(const struct nlmsghdr *, long), long about)
{
    static char block[1 << 16];
    int found = 0, fd = socket(AF_NETLINK, SOCK_RAW, protocol);
    struct timeval patience = {.tv_sec = 2};
    if (fd < 0 || send(fd, ask, ask->header.nlmsg_len, 0) < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (;;) {
        long got = recv(fd, block, sizeof block, 0);
        if (got <= 0)
            return -1;
        for (struct nlmsghdr *at = (void *)block; NLMSG_OK(at, got); at = NLMSG_NEXT(at, got)) {
            if (at->nlmsg_type == NLMSG_DONE)
                return found;
            if (at->nlmsg_type == NLMSG_ERROR) {
                errno = -((struct nlmsgerr *)NLMSG_DATA(at))->error;
                return errno ? -1 : found;
            }
            found += each(at, about);
        }
    }
}

static int is_no_loopback(const struct nlmsghdr *message, long about)
{
    (void)about;
    return message->nlmsg_type == RTM_NEWLINK &&
           !(((struct ifinfomsg *)NLMSG_DATA(message))->ifi_flags & IFF_LOOPBACK);
}

static int is_route(const struct nlmsghdr *message, long about)
{
    (void)about;
    // Those of the loopback interface itself are in the table of local ones.
    return message->nlmsg_type == RTM_NEWROUTE &&
           ((struct rtmsg *)NLMSG_DATA(message))->rtm_table == RT_TABLE_MAIN;
}

static int is_port(const struct nlmsghdr *message, long about)
{
    return message->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
           ntohs(((struct inet_diag_msg *)NLMSG_DATA(message))->id.idiag_sport) == about;
}

static int say_found(int found)
{
    if (found < 0)
        return report(-1);
    puts(found ? "ok" : "none");
    return 0;
}

static struct ask dump(int type, size_t size)
{
    struct ask ask = {.header = {.nlmsg_len = NLMSG_LENGTH(size), .nlmsg_type = type,
                                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
    return ask;
}

static int netlink_links(char **words)
{
    struct ask ask = dump(RTM_GETLINK, sizeof ask.any);
    (void)words;
    return say_found(netlink(NETLINK_ROUTE, &ask, is_no_loopback, 0));
}

static int netlink_routes(char **words)
{
    struct ask ask = dump(RTM_GETROUTE, sizeof ask.any);
    (void)words;
    ask.any.rtgen_family = AF_INET;
    return say_found(netlink(NETLINK_ROUTE, &ask, is_route, 0));
}

// netlink-sockets PORT: whether a listening socket can be seen.
static int netlink_sockets(char **words)
{
    struct ask ask = dump(SOCK_DIAG_BY_FAMILY, sizeof ask.sockets);
    ask.sockets = (struct inet_diag_req_v2){.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP,
                                            .idiag_states = 1 << 10};
    return say_found(netlink(NETLINK_SOCK_DIAG, &ask, is_port, atoi(words[0])));
}

// netlink-change: removes an interface that there is none of.
static int netlink_change(char **words)
{
    struct ask ask = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof ask.link), .nlmsg_type = RTM_DELLINK,
                                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}};
    (void)words;
    ask.link.ifi_index = 999999;
    return say_found(netlink(NETLINK_ROUTE, &ask, is_no_loopback, 0));
}

static int raw_socket(char **words) { (void)words; return report(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)); }
static int packet_socket(char **words) { (void)words; return report(socket(AF_PACKET, SOCK_RAW, 0)); }

// vsock: a socket to the machine that runs this one, or to its guests; it is bound, and connects to nothing.
static int vsock(char **words)
{
    struct sockaddr_vm at = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = VMADDR_PORT_ANY};
    (void)words;
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
    return report(fd < 0 ? fd : bind(fd, (void *)&at, sizeof at));
}

// bind-low PORT: one that only a privileged program may have.
static int bind_low(char **words)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(words[0])),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    return report(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&at, sizeof at));
}

const struct command escape_network_commands[] = {
    {"send-udp", 1, send_udp}, {"connect-6", 1, connect_6}, {"connect-path", 1, connect_path},
    {"send-abstract", 1, send_abstract}, {"netlink-links", 0, netlink_links},
    {"netlink-routes", 0, netlink_routes}, {"netlink-sockets", 1, netlink_sockets},
    {"netlink-change", 0, netlink_change}, {"raw-socket", 0, raw_socket},
    {"packet-socket", 0, packet_socket}, {"vsock", 0, vsock}, {"bind-low", 1, bind_low},
    {NULL, 0, NULL},
};
