"""Each parameter and function of the Python sandboxlib, with linux-user-chroot as the backend.

usage: python_original.py TREE PROGRAM; TREE has a shell, PROGRAM is the linux-user-chroot to expect.
"""

import os
import sys
import tempfile
import warnings

import checks
import sandboxlib

TREE, PROGRAM = sys.argv[1:]
LUC = sandboxlib.get_executor('linux-user-chroot')
EVERYWHERE = {'PATH': '/usr/bin:/bin'}


def run(command, **config):
    config.setdefault('filesystem_root', TREE)
    return LUC.run_sandbox(command, **config)


def shell(script, **config):
    config.setdefault('env', EVERYWHERE)
    return run(['sh', '-c', script], **config)


def same(found, expected):
    assert found == expected, '%r in place of %r' % (found, expected)


def refused(error, function, *args, **config):
    try:
        result = function(*args, **config)
    except error:
        return
    raise AssertionError('%r in place of %s' % (result, error.__name__))


def interfaces(text):
    return [line.split(b':')[0].strip() for line in text.splitlines()[2:]]


def check_program():
    'the program is found first on PATH'
    same(LUC.linux_user_chroot_program(), PROGRAM)


def check_command_list():
    'command: a list is passed on word by word'
    same(run(['echo', 'two  words', "it's", '']), (0, b"two  words it's \n", b''))


def check_command_str():
    'command: a string is one word'
    same(run('pwd')[:2], (0, b'/\n'))
    assert run('echo two words')[0] != 0


def check_exit_status():
    'the exit status is the command\'s; 1 where it could not be started, or was killed'
    same([shell('exit %d' % status)[0] for status in (0, 1, 7, 127, 255)], [0, 1, 7, 127, 255])
    status, out, err = run(['no-such-program'])
    same((status, out), (1, b''))
    assert b'No such file' in err, err
    same(shell('kill -9 $$')[0], 1)


def check_cwd():
    'cwd: inside the tree, / by default, and a missing one is an error'
    same(run(['pwd'])[1], b'/\n')
    same(run(['pwd'], cwd='/usr/bin')[1], b'/usr/bin\n')
    same(run(['pwd'], cwd='usr')[1], b'/usr\n')
    status, out, err = run(['pwd'], cwd='/no/such/folder')
    same((status, out), (1, b''))
    assert err, 'no message'


def check_env_exact():
    'env: exactly what is given'
    same(run(['env'], env={'foo': 'bar'}), (0, b'foo=bar\n', b''))
    same(run(['env'], env={}), (0, b'', b''))


def check_env_inherited():
    'env: None is the caller\'s'
    os.environ['SEEN_INSIDE'] = 'yes'
    assert b'SEEN_INSIDE=yes\n' in run(['env'])[1]


def check_filesystem_root():
    'filesystem_root: the tree, and the host without one'
    with tempfile.NamedTemporaryFile() as file:
        same(LUC.run_sandbox(['cat', file.name])[0], 0)
        same(run(['cat', file.name])[0], 1)
    same(run(['ls', '/'])[1].decode().split(), sorted(os.listdir(TREE)))


def check_writable_all():
    'filesystem_writable_paths: all'
    same(shell('echo 1 > /data/all && echo 2 > /other/all')[0], 0)
    with open(os.path.join(TREE, 'data/all')) as file:
        same(file.read(), '1\n')


def check_writable_none():
    'filesystem_writable_paths: none and an empty list leave nothing writable'
    for value in ('none', []):
        status, out, err = shell('echo 1 > /data/none', filesystem_writable_paths=value)
        same(status, 1)
        assert b'Read-only' in err, err
    assert not os.path.exists(os.path.join(TREE, 'data/none'))


def check_writable_list():
    'filesystem_writable_paths: a list, relative or absolute'
    for value in (['data'], ['/data'], ['other', '/data']):
        same(shell('echo 1 > /data/list', filesystem_writable_paths=value)[0], 0)
    status, out, err = shell('echo 1 > /other/list', filesystem_writable_paths=['/data'])
    same(status, 1)
    assert b'Read-only' in err, err


def check_mounts():
    'mounts: isolated and undefined, and nothing else; the host sees none of them'
    for value in ('isolated', 'undefined'):
        entry = ('proc', '/proc', 'proc')
        status, out, err = shell('cat /proc/mounts', mounts=value, extra_mounts=[entry])
        same((status, err), (0, b''))
        assert b'proc /proc proc' in out, out
        with open('/proc/self/mounts') as file:
            assert TREE not in file.read()
    refused(Exception, run, ['true'], mounts='shared')


def check_mount_proc():
    'extra_mounts: proc'
    entry = (None, '/proc', 'proc')
    same(shell('test -e /proc/self/status')[0], 1)
    same(shell('test -e /proc/self/status', extra_mounts=[entry])[0], 0)


def check_mount_tmpfs():
    'extra_mounts: tmpfs, on a target that is made'
    entry = (None, '/made/here', 'tmpfs')
    same(shell('echo 1 > /made/here/file && cat /made/here/file', extra_mounts=[entry])[:2],
         (0, b'1\n'))
    same(os.listdir(os.path.join(TREE, 'made/here')), [])


def check_mount_bind():
    'extra_mounts: bind, both ways'
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, 'in'), 'w') as file:
            file.write('from outside\n')
        entry = (folder, '/bound', None, 'bind')
        same(shell('cat /bound/in; echo out > /bound/out', extra_mounts=[entry])[:2],
             (0, b'from outside\n'))
        with open(os.path.join(folder, 'out')) as file:
            same(file.read(), 'out\n')


def check_mount_options_and_writable():
    'extra_mounts: several, beside a read-only tree'
    with tempfile.TemporaryDirectory() as folder:
        entries = [('proc', '/proc', 'proc', None), (folder, '/bound', '', 'bind')]
        script = 'test -e /proc/self/status && echo 1 > /bound/file && echo 2 > /data/both'
        same(shell(script, extra_mounts=entries, filesystem_writable_paths=['data'])[0], 0)
        same(os.listdir(folder), ['file'])


def check_mounts_refused():
    'extra_mounts: what is malformed or unknown is refused'
    # Lists: its message for a tuple is a mistake in formatting.
    for entry in [['a', None, 'proc'], ['a', '/b', 'ext4'], ['a', '/b', 'proc', 'hidepid=2'],
                  ['a', '/b', 'tmpfs', 'size=1'], ['a', '/b', 'ext4', 'bind'], ['a', '/b']]:
        refused(AssertionError, run, ['true'], extra_mounts=[entry])


def check_network():
    'network: isolated has only lo, undefined has the host\'s'
    entry = ('proc', '/proc', 'proc')
    read = ['cat', '/proc/net/dev']
    same(interfaces(run(read, network='isolated', extra_mounts=[entry])[1]), [b'lo'])
    with open('/proc/net/dev', 'rb') as file:
        host = interfaces(file.read())
    same(interfaces(run(read, network='undefined', extra_mounts=[entry])[1]), host)
    refused(Exception, run, ['true'], network='bridged')


def check_streams_captured():
    'stdout and stderr: captured by default, megabytes of each'
    same(shell('echo out; echo err >&2'), (0, b'out\n', b'err\n'))
    script = 'i=0; while [ $i -lt 20000 ]; do echo %s; echo %s >&2; i=$((i+1)); done'
    status, out, err = shell(script % ('o' * 99, 'e' * 99))
    same((status, len(out), len(err)), (0, 2000000, 2000000))


def check_streams_discarded():
    'stdout and stderr: None discards'
    same(shell('echo out; echo err >&2', stdout=None, stderr=None), (0, None, None))
    same(shell('echo out; echo err >&2', stdout=None), (0, None, b'err\n'))


def check_streams_to_files():
    'stdout and stderr: to files, and to one another, in order'
    script = 'echo 1; echo 2 >&2; echo 3'
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        same(LUC.run_sandbox_with_redirection(['sh', '-c', script], filesystem_root=TREE,
                                              stdout=out, stderr=err), 0)
        out.seek(0)
        err.seek(0)
        same((out.read(), err.read()), (b'1\n3\n', b'2\n'))
    with tempfile.TemporaryFile() as log:
        log.write(b'before\n')
        log.flush()
        status = LUC.run_sandbox_with_redirection(
            ['sh', '-c', script + '; exit 9'], filesystem_root=TREE,
            stdout=log, stderr=sandboxlib.STDOUT)
        log.seek(0)
        same((status, log.read()), (9, b'before\n1\n2\n3\n'))
    same(shell(script, stderr=sandboxlib.STDOUT), (0, b'1\n2\n3\n', None))


def check_identity():
    'the command has the caller\'s ids'
    same(run(['id', '-u'])[1].decode().strip(), str(os.getuid()))
    same(run(['id', '-g'])[1].decode().strip(), str(os.getgid()))


def check_degrade():
    'degrade_config_for_capabilities keeps what this backend can do'
    config = {'network': 'isolated', 'mounts': 'isolated', 'filesystem_writable_paths': ['data']}
    same(LUC.degrade_config_for_capabilities(dict(config)), config)
    same(LUC.CAPABILITIES['network'], ['isolated', 'undefined'])


def check_executors():
    'get_executor and executor_for_platform find this backend'
    same(sandboxlib.get_executor('linux_user_chroot'), LUC)
    refused(KeyError, sandboxlib.get_executor, 'no-such-backend')
    same(sandboxlib.executor_for_platform(), LUC)


def check_backend_variable():
    'SANDBOXLIB_BACKEND chooses, and warns of what it does not know'
    try:
        os.environ['SANDBOXLIB_BACKEND'] = 'chroot'
        same(sandboxlib.executor_for_platform(), sandboxlib.chroot)
        os.environ['SANDBOXLIB_BACKEND'] = 'linux-user-chroot'
        same(sandboxlib.executor_for_platform(), LUC)
        os.environ['SANDBOXLIB_BACKEND'] = 'nonsense'
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter('always')
            same(sandboxlib.executor_for_platform(), LUC)
        assert any('nonsense' in str(warning.message) for warning in seen), seen
    finally:
        del os.environ['SANDBOXLIB_BACKEND']


if __name__ == '__main__':
    checks.main(globals(), 'check_')
