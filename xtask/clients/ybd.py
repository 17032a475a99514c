"""The call by which YBD builds, with both of its configurations.

usage: ybd.py TREE SOURCE; TREE has a shell and a C compiler, SOURCE is a program in C.
SANDBOXLIB_BACKEND chooses the backend. One that can't isolate is asked for less, as YBD does it.
"""

import os
import shutil
import sys
import tempfile

import checks
import sandboxlib

TREE, SOURCE = sys.argv[1:]
EXECUTOR = sandboxlib.executor_for_platform()
NAME = 'hello'
MAKE = 'gcc -O1 -o program program.c'
INSTALL = 'mkdir -p "$DESTDIR$PREFIX/bin" && cp program "$DESTDIR$PREFIX/bin/"'


def environment(destination, path):
    return {
        'PATH': path, 'PREFIX': '/usr', 'DESTDIR': destination, 'HOME': '/tmp', 'TERM': 'dumb',
        'SHELL': '/bin/sh', 'USER': 'tomjon', 'USERNAME': 'tomjon', 'LOGNAME': 'tomjon',
        'LC_ALL': 'C', 'TZ': 'UTC', 'MAKEFLAGS': '-j2', 'V': '1',
    }


def run(commands, env, config, log):
    """As YBD does it: all commands of a step in one shell, the log opened for append."""
    executor = sandboxlib.executor_for_platform()
    config = executor.degrade_config_for_capabilities(config, warn=False)
    with open(log, 'a') as logfile:
        return executor.run_sandbox_with_redirection(
            ['sh', '-c', '-e', '\n'.join(commands)],
            stdout=logfile, stderr=sandboxlib.STDOUT, env=env, **config)


def same(found, expected):
    assert found == expected, '%r in place of %r' % (found, expected)


class Normal:
    """A component in a tree of its own."""

    def __init__(self, writable=None):
        self.log = os.path.join(TREE, '..', 'ybd.log')
        self.ccache = os.path.join(TREE, '..', 'ccache')
        for folder in [self.path(NAME + '.build'), self.path(NAME + '.inst'), self.ccache]:
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
        shutil.copy(SOURCE, self.path(NAME + '.build', 'program.c'))
        with open(self.log, 'w') as log:
            log.write('the log so far\n')
        paths = [NAME + '.build', NAME + '.inst', '/dev', '/proc', '/tmp']
        self.config = dict(
            cwd=NAME + '.build',
            filesystem_root=TREE,
            filesystem_writable_paths=paths if writable is None else writable,
            mounts='isolated',
            extra_mounts=[(self.ccache, '/tmp/ccache', None, 'bind'),
                          ('tmpfs', '/dev/shm', 'tmpfs'),
                          ('proc', '/proc', 'proc')],
            network='isolated',
        )
        self.env = environment('/' + NAME + '.inst', '/usr/bin:/bin:/usr/sbin:/sbin')

    def path(self, *names):
        return os.path.join(TREE, *names)

    def run(self, *commands):
        return run(commands, self.env, self.config, self.log)

    def said(self):
        with open(self.log) as log:
            return log.read()


class Bootstrap(Normal):
    """A first component on the host, with the host's own compiler."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(dir=os.path.join(TREE, '..'))
        self.log = os.path.join(self.folder, 'ybd.log')
        checkout, install, temporary = [
            os.path.join(self.folder, name) for name in ['checkout', 'install', 'tmp']]
        for folder in [checkout, install, temporary]:
            os.makedirs(folder)
        shutil.copy(SOURCE, os.path.join(checkout, 'program.c'))
        with open(self.log, 'w') as log:
            log.write('the log so far\n')
        self.config = dict(
            cwd=checkout,
            filesystem_root='/',
            filesystem_writable_paths=[checkout, install, temporary],
            mounts='isolated',
            extra_mounts=[],
            network='isolated',
        )
        self.env = environment(install, '/usr/bin:/bin:/usr/sbin:/sbin')
        self.env['TMPDIR'] = temporary


def check_normal_build():
    'normal: a program is compiled and installed in its tree'
    build = Normal()
    same(build.run('pwd', MAKE, INSTALL), 0)
    same(build.said(), 'the log so far\n/%s.build\n' % NAME)
    assert os.access(build.path(NAME + '.inst', 'usr/bin/program'), os.X_OK)
    same(build.run('/%s.inst/usr/bin/program' % NAME), 0)
    assert build.said().endswith('compiled inside\n'), build.said()


def check_normal_build_all():
    'normal: the same with all of the tree writable'
    build = Normal(writable='all')
    same(build.run(MAKE, INSTALL, 'touch /usr/everywhere', 'rm /usr/everywhere'), 0)


def isolated_normal_read_only():
    'normal: the rest of the tree is read-only'
    build = Normal()
    for target in ['/usr/bin/gcc', '/etc-new', '/usr/lib/new']:
        assert build.run('echo 1 > ' + target) != 0, target
    assert 'Read-only' in build.said(), build.said()
    same(build.run('echo 1 > /tmp/new', 'rm /tmp/new', 'echo 1 > /%s.inst/new' % NAME), 0)


def check_normal_mounts():
    'normal: ccache is the host\'s folder, /dev/shm is empty and writable, /proc is there'
    build = Normal()
    open(os.path.join(build.ccache, 'before'), 'w').close()
    same(build.run('ls /tmp/ccache', 'echo 1 > /tmp/ccache/after', 'ls /dev/shm',
                   'echo 1 > /dev/shm/x', 'cat /proc/self/comm'), 0)
    same(build.said(), 'the log so far\nbefore\ncat\n')
    same(sorted(os.listdir(build.ccache)), ['after', 'before'])


def isolated_normal_network():
    'normal: no network but lo'
    build = Normal()
    same(build.run('cat /proc/net/dev'), 0)
    names = [line.split(':')[0].strip() for line in build.said().splitlines()[3:]]
    same(names, ['lo'])


def check_normal_environment():
    'normal: the environment is the given one, whole'
    build = Normal()
    same(build.run('exec env -u PWD -u SHLVL -u OLDPWD env'), 0)
    lines = build.said().splitlines()[1:]
    same(dict(line.split('=', 1) for line in lines), build.env)


def check_order():
    'both streams land in the log in order'
    for build in [Normal(), Bootstrap()]:
        same(build.run('for i in 1 2 3 4; do echo out $i; echo err $i >&2; done'), 0)
        expected = ''.join('out %d\nerr %d\n' % (i, i) for i in range(1, 5))
        same(build.said(), 'the log so far\n' + expected)


def check_failure():
    'a step that fails ends there, with its own status'
    for build in [Normal(), Bootstrap()]:
        same(build.run('echo first', 'sh -c "exit 3"', 'echo never'), 3)
        same(build.said(), 'the log so far\nfirst\n')


def check_bootstrap_build():
    'bootstrap: a program is compiled and installed on the host'
    build = Bootstrap()
    same(build.run('pwd', MAKE, INSTALL), 0)
    same(build.said(), 'the log so far\n%s\n' % os.path.realpath(build.config['cwd']))
    assert os.access(os.path.join(build.folder, 'install/usr/bin/program'), os.X_OK)


def isolated_bootstrap_read_only():
    'bootstrap: the rest of the host is read-only'
    build = Bootstrap()
    beside = os.path.join(build.folder, 'beside')
    assert build.run('echo 1 > ' + beside) != 0
    assert 'Read-only' in build.said(), build.said()
    assert not os.path.exists(beside)


def isolated_bootstrap_network():
    'bootstrap: no network but lo'
    build = Bootstrap()
    same(build.run('cat /proc/self/net/dev'), 0)
    names = [line.split(':')[0].strip() for line in build.said().splitlines()[3:]]
    same(names, ['lo'])


def degraded_everything():
    'what the backend can\'t do is lowered, without a warning'
    config = EXECUTOR.degrade_config_for_capabilities(Normal().config, warn=False)
    same([config[name] for name in ('network', 'mounts', 'filesystem_writable_paths')],
         ['undefined', 'undefined', 'all'])


if __name__ == '__main__':
    prefixes = ['check_']
    if 'isolated' in EXECUTOR.CAPABILITIES['network']:
        prefixes.append('isolated_')
    else:
        prefixes.append('degraded_')
    checks.main(globals(), *prefixes)
