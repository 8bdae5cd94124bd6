"""What the help says in Chinese, paragraph by paragraph; English stands beside the verbs.

The keys are the English paragraphs on one line each: one that is changed there and not here is not
found any more, and a test says so.
"""

from collections.abc import Mapping
from typing import Final

_GENERAL: Final[Mapping[str, str]] = {
    "End-to-end encrypted messages. The relay forwards them and can read none.": (
        "端到端加密的消息。中继只负责转发，看不到任何内容。"
    ),
    "First steps: `e2e demo` shows what it does. For yourself: `e2e relay` in one terminal, "
    "`e2e register HANDLE` and `e2e chat` in others.": (
        "从这里开始：`e2e demo` 演示它能做什么。自己使用时，在一个终端里运行 `e2e relay`，"
        "在另一个终端里先后运行 `e2e register 用户名` 和 `e2e chat`。"
    ),
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 wrong passphrase, 4 relay unreachable, 5 "
    "refused by the relay or a member, 130 interrupted. The passphrase is asked for without echo; "
    "for scripts set E2E_PASSPHRASE_FILE or use --passphrase-fd.": (
        "退出码：0 完成，1 失败，2 用法有误，3 密码短语错误，4 无法连接中继，"
        "5 被中继或成员拒绝，130 已中断。输入密码短语时屏幕上不显示；"
        "脚本请设置 E2E_PASSPHRASE_FILE 或使用 --passphrase-fd。"
    ),
    "Talk": "聊天",
    "Account and people": "账号与联系人",
    "Run": "运行",
    "Show this message and exit.": "显示此帮助。",
    "The encrypted database. Default: one per user, in the usual place for data.": (
        "加密的数据库。默认：每位用户一个，放在系统存放数据的位置。"
    ),
    "The relay, as wss://HOST:PORT. Default: the one of the registration, else a relay on this "
    "machine.": "中继的地址，如 wss://主机:端口。默认：注册时的中继，否则为本机的中继。",
    "Trust this certificate authority (PEM) for the relay; needed for a relay that made its own.": (
        "信任此证书颁发机构（PEM）；中继自建证书时需要。"
    ),
    "Read the passphrase from this open file descriptor instead of asking. E2E_PASSPHRASE_FILE "
    "names a file instead.": (
        "从此文件描述符读取密码短语，不再询问。也可用 E2E_PASSPHRASE_FILE 指定文件。"
    ),
    "One JSON object per line, for scripts.": "每行输出一个 JSON 对象，供脚本使用。",
    "One JSON object per line.": "每行输出一个 JSON 对象。",
    "Show the traceback of an error.": "出错时显示详细的调用过程。",
    "How long to wait for the relay.": "等待中继的时间。",
    "Default: this system's, else en.": "使用的语言。默认：与系统相同，否则为英文。",
    "Its id, or how that begins: `e2e device list`.": (
        "设备的编号或其开头几位，见 `e2e device list`。"
    ),
}
_ACCOUNT: Final[Mapping[str, str]] = {
    "Make an encrypted database and an account, and register its handle at a relay.": (
        "新建加密的数据库和账号，并在中继登记用户名。"
    ),
    "Asks twice for a new passphrase. Nobody can reset it: without it the database stays closed.": (
        "会请您输入两次新的密码短语。任何人都无法重置它：忘记后，数据库就打不开了。"
    ),
    "The name others find you by: 3 to 32 of a-z 0-9 _ . , a letter first.": (
        "他人用来找到您的名称：3 至 32 个字符，可用 a-z 0-9 _ .，以字母开头。"
    ),
    "How you want to be called; shown to contacts.": "希望别人怎样称呼您，联系人会看到。",
    "Show the account of a database.": "显示数据库中的账号。",
    "List the people of this database: whether their keys are verified, how they are called.": (
        "列出联系人：是否已核对其安全码，以及怎样称呼。"
    ),
    "What you call people, and who is a contact.": "您怎样称呼别人，谁是联系人。",
    "Call somebody by a name of your own, on all your devices. Nobody else sees it.": (
        "给某人起您自己的备注名，在您的所有设备上有效。别人看不到。"
    ),
    "Whom.": "谁。",
    "Have somebody not among your contacts any more, and without a name of yours.": (
        "不再把某人列为联系人，也不再保留您起的备注名。"
    ),
    "Conversations stay, and so does who is blocked. Looking them up makes them a contact again.": (
        "会话和黑名单不变。再次查找此人，就又成为联系人。"
    ),
    "Show the safety number of a contact, as digits and as a QR code.": (
        "显示与联系人的安全码（数字和二维码）。"
    ),
    "Both of you must see the same number; read it to each other or scan it. Only then nobody sits "
    "between you.": (
        "双方看到的数字必须相同：互相念出来，或扫描二维码。相同才说明没有人在中间冒充。"
    ),
    "Whose safety number.": "对方的用户名。",
    "Remember that you compared it and that it was the same.": "记住：已核对，双方的数字相同。",
    "The number that the other person sees: compare, mark if equal, else exit 5.": (
        "对方看到的数字：相同则标记为已核对，不同则以退出码 5 结束。"
    ),
    "The same with what a scanner read from the other person's QR code.": (
        "同上，内容为扫描对方二维码得到的结果。"
    ),
    "Take it back, or accept new devices without comparing.": (
        "取消核对标记，或不核对而接受对方的新设备。"
    ),
    "Show somebody's account as you have seen it: devices with their dates, and a checkpoint.": (
        "显示您所看到的某人的账号：各设备及其日期，以及核对码。"
    ),
    "Friends of the same person compare it, in person or over another messenger: that finds a "
    "relay, or a stolen identity key, that shows different people different devices.": (
        "此人的朋友可当面或用其他通讯工具互相比对核对码：如果中继不诚实或身份密钥被盗，"
        "让不同的人看到不同的设备，比对即可发现。"
    ),
    "Whose account.": "谁的账号。",
    "What somebody else's `e2e checkpoint` shows of the same account: exit 5 if the relay shows "
    "the two of you different things.": (
        "别人用 `e2e checkpoint` 看到的同一账号的核对码：如果两人看到的不同，以退出码 5 结束。"
    ),
    "Hear no more what somebody says to you alone. They are not told.": (
        "不再接收某人单独发来的消息。对方不会知道。"
    ),
    "What they send you from now on is dropped; groups of theirs are left at once. In groups of "
    "other people you go on to hear them.": (
        "此后对方发来的消息会被丢弃，对方建的群会立即退出。在别人建的群里仍能看到对方的消息。"
    ),
    "Who is not to reach you alone any more.": "要拉黑的人。",
    "Hear somebody again. What they said meanwhile is gone.": (
        "重新接收某人的消息。期间对方说过的不会补发。"
    ),
    "Who may reach you again.": "要解除拉黑的人。",
    "Write all messages into one file, to read or to import elsewhere. Needs no relay.": (
        "把所有消息写入一个文件，可供阅读或导入别处。无需连接中继。"
    ),
    "The file is NOT encrypted: whoever has it reads it. Only you may read it on this machine.": (
        "此文件未加密：谁拿到都能读。在本机上只有您有读取权限。"
    ),
    "The file to make; it must not be there yet.": "要新建的文件，不能已经存在。",
    "Only this conversation.": "只限此会话。",
    "Bring in messages from a file, as read-only conversations. Needs no relay.": (
        "从文件导入消息，成为只读的会话。无需连接中继。"
    ),
    "The same file may be imported again: what is here already is left alone.": (
        "同一文件可以再次导入：已有的内容不会重复。"
    ),
    "An export of e2e, WhatsApp, Telegram or Signal, or a table.": (
        "e2e、WhatsApp、Telegram 或 Signal 导出的文件，或一张表格。"
    ),
    "What it is: e2ecore, whatsapp, telegram, signal or csv. Default: look.": (
        "格式：e2ecore、whatsapp、telegram、signal 或 csv。默认：自动识别。"
    ),
    "What the file calls you.": "文件里对您的称呼。",
    "What to call the conversation.": "给会话起的名称。",
    "Show what is stored of you, personal fields only as they begin. Needs no relay.": (
        "显示保存了您的哪些信息，个人信息只显示开头。无需连接中继。"
    ),
    "Show them whole; asks for the passphrase in any case.": "完整显示；一定会询问密码短语。",
    "What is stored where, and for how long.": "列出在何处保存了什么、保存多久。",
    "Change what you want to be called, which your conversations get to see.": (
        "更改您的称呼，会话中的其他人会看到。"
    ),
    "Without a name it says what holds. The handle stays. Needs no relay; the others get to know "
    "when it is reached.": (
        "不写名称则显示现在的称呼。用户名不变。无需连接中继；连接后其他人才会得知。"
    ),
    "At most 64 characters; '' takes it back.": "最多 64 个字符；'' 表示取消。",
}
_CONSENTS: Final[Mapping[str, str]] = {
    "What you have agreed to; everything else is off.": "您同意过的事项；其余一律关闭。",
    "Each purpose, and whether you have agreed to it. Needs no relay.": (
        "列出每项用途，以及您是否同意过。无需连接中继。"
    ),
    "Also those that are over.": "也列出已经结束的。",
    "Print the notice of a purpose, and below it the mark that scripts agree by.": (
        "显示某项用途的告知书，下方是供脚本使用的标记。"
    ),
    "As `e2e consent list` names it.": "`e2e consent list` 中的名称。",
    "Show what it means, ask, and only then turn it on.": (
        "先说明这意味着什么，再询问您，您同意后才开启。"
    ),
    "End by itself: 8h, 90d.": "到时自动结束：8h（小时）、90d（天）。",
    "What it is limited to, in words.": "限于什么范围，用文字说明。",
    "Who answers for the data.": "由谁对数据负责。",
    "Their postal address.": "其通信地址。",
    "Whose law holds: CN, EU.": "适用哪里的法律：CN、EU。",
    "Where to turn to.": "有问题时找谁。",
    "For scripts: agree to the notice above this mark in `e2e consent show`.": (
        "供脚本使用：同意 `e2e consent show` 中此标记上方的告知书。"
    ),
    "Take it back. It is off at once on this device, and everywhere as soon as the relay knows.": (
        "撤回同意。本设备上立即关闭，中继获知后各处都会关闭。"
    ),
    "Write what proves your consents into a file. It is NOT encrypted. Needs no relay.": (
        "把您的同意证明写入文件。文件未加密。无需连接中继。"
    ),
    "What was agreed to elsewhere, from exports that you imported. Nothing of it counts here.": (
        "您导入的文件中，在别处同意过的事项。在这里都不生效。"
    ),
    "Check somebody's consents against their chain. Needs no account, no relay, no network.": (
        "核验某人的同意证明是否真实、完整。无需账号、中继或网络。"
    ),
    "As `e2e consent export` made it, by anybody.": "任何人用 `e2e consent export` 生成的文件。",
}
_DEVICES: Final[Mapping[str, str]] = {
    "The devices of your account. There is one, unless you have agreed to several.": (
        "您账号下的设备。只有一台，除非您同意过使用多台。"
    ),
    "Every device that the account has or had, and where it is still to come in or to go.": (
        "列出账号现在和以前的所有设备，以及还有多少会话有待加入或退出。"
    ),
    "Show a code for a new device, compare, and let it in. Needs `e2e consent grant` first.": (
        "显示供新设备使用的代码，核对后让它加入。需先用 `e2e consent grant` 表示同意。"
    ),
    "Give the account away to a new device: this one keeps what it has, and can send no more.": (
        "把账号转移到新设备：本设备保留已有内容，但不能再发送。"
    ),
    "Make an encrypted database here, and bring it to the account of another device of yours.": (
        "在本机新建加密的数据库，并加入您另一台设备上的账号。"
    ),
    "As the other device shows it.": "另一台设备上显示的代码。",
    "Shut a device out of the account, now and for good; every conversation gets new keys.": (
        "立即并永久地移除一台设备；所有会话都会更换密钥。"
    ),
    "Confirm a linked device for the second time: it can change the account then, as this one.": (
        "对已关联的设备作第二次确认：此后它能像本设备一样更改账号。"
    ),
    "Do not wait until a day has passed.": "不等满一天。",
    "Give messages of this device to another one of yours.": "把本设备上的消息传给您的另一台设备。",
    "Needs `e2e consent grant history_transfer` first; nothing else begins it.": (
        "需先执行 `e2e consent grant history_transfer`；不会自动开始。"
    ),
    "Only the last so many days; 0: everything.": "只传最近若干天的；0 表示全部。",
    "Only this one; may be given several times.": "只传此会话；可多次使用。",
    "What this device gives to others of yours, and takes from them. Needs no relay.": (
        "列出本设备传给您其他设备的、以及从它们收到的历史消息。无需连接中继。"
    ),
    "Give no more history in a transfer, and have the relay delete what was not fetched.": (
        "停止传送历史消息，并让中继删除尚未取走的内容。"
    ),
    "How its id begins: `e2e device transfers`.": "编号的开头几位，见 `e2e device transfers`。",
}
_FAMILY: Final[Mapping[str, str]] = {
    "Under 14: a parent agrees as well. Nobody else learns of it.": (
        "未满十四周岁：须由家长一同同意。其他人不会知道。"
    ),
    "The other one.": "对方的用户名。",
    "As `e2e guardian requests` shows it, or its beginning.": (
        "`e2e guardian requests` 中的编号或其开头几位。"
    ),
    "For scripts: the person was asked already, and said yes.": (
        "供脚本使用：已经问过本人，且本人同意。"
    ),
    "Whether this account is a child's, who decides, and for whom you decide. Needs no relay.": (
        "此账号是否属于孩子、由谁决定，以及您为谁决定。无需连接中继。"
    ),
    "Say that whoever uses this account is under 14.": "表明此账号的使用者未满十四周岁。",
    "The 14th birthday: 2031-04-30. It is all we keep.": (
        "十四周岁生日，如 2031-04-30。我们只保存这一项。"
    ),
    "Ask a parent to be the guardian of this account.": "请家长担任此账号的监护人。",
    "Agree to be somebody's guardian, after reading what that means.": (
        "阅读说明后，同意担任某人的监护人。"
    ),
    "Do not be somebody's guardian; they are told.": "谢绝担任某人的监护人；对方会收到通知。",
    "Agree to something, and ask the guardian to agree as well.": (
        "同意某个事项，并请监护人一同同意。"
    ),
    "What was asked, by you and of you, and what was decided.": (
        "您提出的和向您提出的申请，以及决定的结果。"
    ),
    "Read what the child wants to agree to, and agree as well.": (
        "查看孩子想同意的事项，并一同同意。"
    ),
    "Do not agree to what the child wants; they are told.": "不同意孩子的申请；孩子会收到通知。",
    "Agree no longer to what you have approved: it ends.": "撤回您给过的同意：该事项随即结束。",
    "Be a child's guardian no longer. The child then needs another one.": (
        "不再担任孩子的监护人。孩子此后需要另一位监护人。"
    ),
    "End it before the 14th birthday: when both have said so, the account is like any other.": (
        "在十四周岁生日前结束：双方都表示后，此账号即与其他账号相同。"
    ),
    "Youth mode: being found, followed, profiled and passed on is closed.": (
        "青少年模式：不能被他人找到、跟踪、画像，数据也不会提供给他人。"
    ),
    "Read the passcode from this open file descriptor instead of asking.": (
        "从此文件描述符读取密码，不再询问。"
    ),
    "Whether it is on, and when the passcode can be tried. Needs no relay.": (
        "是否已开启，以及何时可再输入密码。无需连接中继。"
    ),
    "Turn it on, with a passcode that only the parents know. Needs no relay.": (
        "开启，并设置只有家长知道的密码。无需连接中继。"
    ),
    "Leave it by its passcode. What was withdrawn stays withdrawn. Needs no relay.": (
        "输入密码退出。已撤回的同意不会恢复。无需连接中继。"
    ),
}
_KEYS: Final[Mapping[str, str]] = {
    "What unlocks the database: passphrase, recovery code, the system's keyring.": (
        "怎样打开数据库：密码短语、恢复码或系统的钥匙串。"
    ),
    "Read the new passphrase from this open file descriptor instead of asking.": (
        "从此文件描述符读取新的密码短语，不再询问。"
    ),
    "The passphrase is forgotten: ask for the recovery code instead. --passphrase-fd then gives "
    "the code.": "忘记了密码短语：改为询问恢复码。此时 --passphrase-fd 提供的是恢复码。",
    "The key slots of the database. Ids change when slots do.": (
        "列出能打开数据库的各种方式。方式有变动时，编号也会变。"
    ),
    "Change the passphrase. The history stays as it is, so this takes a moment only.": (
        "更改密码短语。历史消息不变，所以很快就能完成。"
    ),
    "Make a recovery code and print it. Write it down: it is kept nowhere else.": (
        "生成并显示恢复码。请抄下来：别处都不会保存。"
    ),
    "Have the system's keyring unlock the database, too: with E2E_KEYRING=1 nothing is asked.": (
        "让系统的钥匙串也能打开数据库：设置 E2E_KEYRING=1 后不再询问。"
    ),
    "Remove a key slot. One besides the keyring always has to stay.": (
        "删除一种打开方式。除钥匙串外必须至少保留一种。"
    ),
    "As `e2e key list` prints it.": "`e2e key list` 中的编号。",
    "Encrypt the whole database anew, with a new passphrase: for when a key was seen by others.": (
        "用新的密码短语重新加密整个数据库：用于密钥被他人看到的情况。"
    ),
    "Nothing else opens it then: recovery codes and keyring entries have to be made again. It "
    "needs as much free space again as the database.": (
        "此后其他方式都打不开：恢复码和钥匙串须重新设置。需要与数据库同样大的空闲空间。"
    ),
    "Also make a new recovery code, and print it.": "同时生成并显示新的恢复码。",
    "Look for damage in the database; save what can be read. The damaged file is set aside.": (
        "检查数据库是否损坏，救出能读取的内容。损坏的文件会另行保留。"
    ),
}
_RUN: Final[Mapping[str, str]] = {
    "Run a relay on this machine until Ctrl+C.": "在本机运行中继，按 Ctrl+C 结束。",
    "The first start makes a data directory, a certificate authority and a default configuration, "
    "and says where. All further options go to the relay itself: see `e2e relay -- --help`.": (
        "首次启动会建立数据目录、证书颁发机构和默认配置，并说明位置。其余选项都交给中继："
        "见 `e2e relay -- --help`。"
    ),
    "Where it keeps its database, key and certificates. Default: one per user.": (
        "存放数据库、密钥和证书的位置。默认：每位用户一个。"
    ),
    "Watch three people chat through a relay, with every claim checked. Takes half a minute.": (
        "观看三个人通过中继聊天，每一句说明都会当场验证。约需半分钟。"
    ),
    "Starts real processes in a temporary directory and removes all of it. Exit code 0 only if "
    "every check was true.": (
        "会在临时目录里启动真实的进程，结束后全部删除。只有全部验证通过，退出码才是 0。"
    ),
    "Leave databases and logs behind, and say where.": "保留数据库和日志，并说明位置。",
    "Run the benchmarks of the source tree; all options go to the benchmark runner.": (
        "运行源代码中的性能测试；所有选项都交给测试程序。"
    ),
}
METAVARS: Final[Mapping[str, str]] = {
    "COMMAND [ARGS]...": "命令 [参数]...",
    "[OPTIONS]": "[选项]",
    "CHAT": "会话",
    "CHECKPOINT": "核对码",
    "CHOICE": "答案",
    "CODE": "代码",
    "DAY": "日期",
    "DEVICE": "设备",
    "DIGITS": "数字",
    "DIR": "目录",
    "FILE": "文件",
    "FORMAT": "格式",
    "GROUP": "群组",
    "HANDLE": "用户名",
    "HANDLE|+TITLE|ID": "用户名|+群名|编号",
    "HEX": "十六进制",
    "ID": "编号",
    "KIND": "种类",
    "MARK": "标记",
    "MESSAGE": "消息",
    "NAME": "称呼",
    "NUMBER": "序号",
    "PATH": "路径",
    "POLL": "投票",
    "PURPOSE": "用途",
    "QUESTION": "问题",
    "ROLE": "角色",
    "SECONDS": "秒数",
    "SIGN": "表情",
    "SLOT": "编号",
    "TEXT": "文字",
    "TIME": "时长",
    "TIME|off": "时长|off",
    "TIME|on|off": "时长|on|off",
    "TITLE": "标题",
    "TO": "去处",
    "TRANSFER": "编号",
    "URL": "网址",
    "YEAR-MONTH-DAY": "年-月-日",
}
"""What stands for a value: on the usage line, and beside options."""
PARAGRAPHS: Final[Mapping[str, str]] = {
    **_GENERAL,
    **_ACCOUNT,
    **_CONSENTS,
    **_DEVICES,
    **_FAMILY,
    **_KEYS,
    **_RUN,
}
"""Of everything but talking: see ``talk_words``."""
