"""What the help of everything about talking says in Chinese: see ``help_words``."""

from collections.abc import Mapping
from typing import Final

_SENDING: Final[Mapping[str, str]] = {
    "Chat in the terminal. F1 shows the keys, Ctrl+Q leaves.": (
        "在终端里聊天。按 F1 查看按键，按 Ctrl+Q 退出。"
    ),
    "Respects NO_COLOR. Works over ssh and from 40x12 cells up.": (
        "遵守 NO_COLOR。可通过 ssh 使用，终端至少 40 列 12 行。"
    ),
    "Draw with ASCII signs only.": "只用 ASCII 字符绘制。",
    "List conversations with their ids and unread counts, the newest first. Needs no relay.": (
        "列出会话及其编号和未读数，最新的在前。无需连接中继。"
    ),
    "Only those with unread messages.": "只列出有未读消息的会话。",
    "A person's handle, a group's title after a plus sign, or a conversation id.": (
        "对方的用户名、加号后面的群名，或会话编号。"
    ),
    "The id of a message as `history --ids` prints it, or `last` for the newest one.": (
        "`history --ids` 显示的消息编号；`last` 表示最新的一条。"
    ),
    "A member whom `@HANDLE` in the text names; may be given several times.": (
        "文字中 `@用户名` 提到的成员；可多次使用。"
    ),
    "The text; several words are joined.": "文字；多个词会连在一起。",
    "Have every device erase it after this time: 30s, 10m, 8h, 7d.": (
        "过了这段时间，所有设备都把它擦除：30s（秒）、10m（分）、8h（小时）、7d（天）。"
    ),
    "Send one message and wait until the relay has it.": "发送一条消息，等到中继收下为止。",
    "If the relay cannot be reached (exit code 4) the message is stored, and goes out with the "
    "next command that reaches the relay.": (
        "如果连不上中继（退出码 4），消息会保存下来，由下一条连上中继的命令送出。"
    ),
    "The message; several words are joined. A single - reads it from standard input.": (
        "消息；多个词会连在一起。单独一个 - 表示从标准输入读取。"
    ),
    "Wait until every member's device has stored it.": "等到每位成员的设备都已保存。",
    "Send a contact card: the others can look the person up and write to them.": (
        "发送联系人名片：其他人可据此找到此人并发消息。"
    ),
    "The names on a card are its sender's word. Nobody is verified by it.": (
        "名片上的名称只是发送者的说法，并不代表已经核对。"
    ),
    "Who is shown to the others.": "要介绍给大家的人。",
    "Print messages as they arrive, those first that waited at the relay. Ctrl+C ends it.": (
        "消息到达时即显示，先显示在中继等候的。按 Ctrl+C 结束。"
    ),
    "Stop after so many messages; 0: never.": "显示若干条消息后停止；0 表示不停。",
    "Stop after so long a silence; 0: never.": "安静这么久之后停止；0 表示不停。",
    "With --json: also everything else that happens.": "与 --json 同用：也输出发生的其他事情。",
    "Print the newest messages of a conversation, or older ones, oldest first. Needs no relay.": (
        "显示会话中最新的或更早的消息，旧的在前。无需连接中继。"
    ),
    "How many messages.": "显示多少条消息。",
    "From that day on instead.": "改为从这一天开始。",
    "Those before this one instead.": "改为这条消息之前的。",
    "Count them as read.": "标为已读。",
    "Begin each line with the end of the message's id.": "每行开头显示消息编号的末尾几位。",
    "Find messages, the newest first. Needs no relay.": "查找消息，最新的在前。无需连接中继。",
    "What to look for; of several words all have to occur. No sign is an operator.": (
        "要找的文字；有多个词时须全部出现。任何符号都没有特殊含义。"
    ),
    "Only in this conversation.": "只在此会话中。",
    "How many of the newest.": "最新的多少条。",
    "Only what this person wrote.": "只找此人写的。",
    "Only sent that day or later.": "只找这一天及以后的。",
    "Only sent before that day.": "只找这一天以前的。",
    "Only text, card, files or poll; several times: any of them.": (
        "只找 text（文字）、card（名片）、files（文件）或 poll（投票）；可多次使用，符合其一即可。"
    ),
}
_FILES: Final[Mapping[str, str]] = {
    "Send files, and wait until the relay has them and the message.": (
        "发送文件，等到中继收下文件和消息为止。"
    ),
    "From pictures, places, times and cameras are taken out first. If the relay cannot be reached "
    "(exit code 4), a copy is stored and goes out with the next command that reaches it.": (
        "图片中的地点、时间和相机信息会先去掉。如果连不上中继（退出码 4），会保存一份副本，"
        "由下一条连上中继的命令送出。"
    ),
    "Up to 32 files: one message.": "最多 32 个文件，合成一条消息。",
    "What to say of them.": "给文件附上的文字。",
    "Leave place, time and camera in pictures.": "保留图片中的地点、时间和相机信息。",
    "They are voice notes: length and loudness are read from them.": (
        "作为语音消息发送：时长和音量从文件中读取。"
    ),
    "Fetch a file of a message, check it, and write it. Interrupted, it goes on where it was.": (
        "取回消息中的文件，检验后写入。中断后可从原处继续。"
    ),
    "Which of the message's files.": "消息中的第几个文件。",
    "A folder, or a file that is not there yet.": "文件夹，或一个尚不存在的文件。",
    "If it has expired: ask its sender for it again.": "如果已过期，请发送者再发一次。",
    "List the files of a conversation, the newest last, and what is being uploaded.": (
        "列出会话中的文件（最新的在后）以及正在上传的内容。"
    ),
    "Ask the relay who still needs each of them.": "向中继询问每个文件还有谁没有取走。",
    "How many messages with files.": "显示多少条带文件的消息。",
}
_REMARKS: Final[Mapping[str, str]] = {
    "Answer a message.": "回复一条消息。",
    "Send a text, files, a contact card or a poll on. A text is marked as forwarded.": (
        "转发文字、文件、名片或投票。文字会标明是转发的。"
    ),
    "Who wrote it is not told. Of a poll a new one is begun: votes stay where they were given. "
    "Files that are not here are fetched first.": (
        "不会告诉别人原作者是谁。转发投票会另开一个新的投票，原来的票留在原处。"
        "本机没有的文件会先取回。"
    ),
    "The conversation to send it to, named alike.": "转发到哪个会话，写法相同。",
    "Let all see what you think of a message.": "用表情回应一条消息，大家都能看到。",
    "Usually one emoji; none takes them back.": "通常是一个表情；不写则取消。",
    "Put a message of yours in other words, within 24 hours. Others can see what it said.": (
        "在 24 小时内修改自己的消息。其他人能看到原来的内容。"
    ),
    "Print what an edited message said before, the first words first. Needs no relay.": (
        "显示修改过的消息以前的内容，最早的在前。无需连接中继。"
    ),
    "Have everybody erase a message of yours. Who has read it has read it.": (
        "撤回自己的消息，让所有人擦除。已经看过的无法收回。"
    ),
    "Erase a message here and on your other devices. Others keep it. Needs no relay.": (
        "在本设备和您的其他设备上删除一条消息。其他人仍保留。无需连接中继。"
    ),
    "Pin a message for all members; in groups admins and owners may.": (
        "为所有成员置顶一条消息；群里由管理员和群主操作。"
    ),
    "Have a message pinned for nobody any more, whoever has pinned it.": (
        "取消消息置顶，无论是谁置顶的。"
    ),
    "Print the pinned messages, the one pinned last first. Needs no relay.": (
        "显示置顶的消息，最后置顶的在前。无需连接中继。"
    ),
}
_SETTINGS: Final[Mapping[str, str]] = {
    "Keep a conversation at the top of the list, or not any more. Nobody else gets to know.": (
        "把会话固定在列表顶部，或取消。别人不会知道。"
    ),
    "Put a conversation at the end of the list, or back. Nobody else gets to know.": (
        "把会话收到列表末尾，或放回原处。别人不会知道。"
    ),
    "Have a conversation not disturb, for a time or for good. Nobody else gets to know.": (
        "让会话在一段时间内或一直不打扰您。别人不会知道。"
    ),
    "10m, 8h, 7d; on: until off. Without it: say what holds.": (
        "10m（分）、8h（小时）、7d（天）；on 表示直到 off。不写则显示现状。"
    ),
    "Without it: say what holds.": "不写则显示现状。",
    "Let the others of a conversation know what you have read, or not. Off until you turn it on.": (
        "让会话中的其他人知道您读到了哪里，或不让知道。默认关闭。"
    ),
    "Needs no relay; the others get to know when it is reached.": (
        "无需连接中继；连接后其他人才会得知。"
    ),
    "Have messages of a conversation erase themselves at everybody's, those sent from now on.": (
        "让会话中今后的消息到时在每个人的设备上自动擦除。"
    ),
    "In groups admins and owners may. Whoever wants to keep a message can.": (
        "群里由管理员和群主操作。想保留消息的人仍有办法保留。"
    ),
    "30s, 10m, 8h, 7d. Without it: say what holds.": (
        "30s（秒）、10m（分）、8h（小时）、7d（天）。不写则显示现状。"
    ),
    "Erase here what is older, whoever wrote it, now and from now on. Others keep theirs.": (
        "从现在起，在本机擦除更早的消息，无论是谁写的。其他人的不受影响。"
    ),
    "Keep what edited messages said before, or erase it here and keep no more. On at first.": (
        "保留消息修改前的内容，或在本机擦除且不再保留。默认保留。"
    ),
    "usual: as everywhere, with --in. Without it: say what holds.": (
        "usual：与其他会话相同，须与 --in 同用。不写则显示现状。"
    ),
}
_GROUPS: Final[Mapping[str, str]] = {
    "Make groups, change who is in them and what they may do.": (
        "建立群组，更改群里有谁、各人能做什么。"
    ),
    "A group's title (+TITLE works too) or its id.": "群名（也可写作 +群名）或其编号。",
    "A group's title, or any conversation's id.": "群名，或任一会话的编号。",
    "Who.": "谁。",
    "At most 128 characters.": "最多 128 个字符。",
    "Make a group. You are its owner. Prints its id.": "建立群组，您是群主。会显示其编号。",
    "List the members with their roles and whether they are verified.": (
        "列出成员、各自的角色，以及是否已核对安全码。"
    ),
    "Add people. They read what comes from now on, nothing older.": (
        "添加成员。他们能看到今后的消息，看不到以前的。"
    ),
    "Remove people. They keep what they have and can read nothing that comes later.": (
        "移除成员。他们保留已有的消息，看不到今后的。"
    ),
    "Leave. You keep what you have and get nothing more.": (
        "退出群组。您保留已有的消息，不再收到新的。"
    ),
    "Change the title.": "更改群名。",
    "Give somebody a role. Admins add and remove people; owners also give roles.": (
        "更改某人的角色。管理员可添加和移除成员，群主还可更改角色。"
    ),
    "member, admin or owner.": "member（成员）、admin（管理员）或 owner（群主）。",
    "Ask, vote, close. Nobody sees what others chose before a poll is closed.": (
        "发起投票、投票、结束投票。结束之前，谁也看不到别人选了什么。"
    ),
    "The id of the poll as `history --ids` prints it, or `last` for the newest one.": (
        "`history --ids` 显示的投票编号；`last` 表示最新的一个。"
    ),
    "At most 300 characters.": "最多 300 个字符。",
    "2 to 12, at most 100 characters each.": "2 至 12 个，每个最多 100 个字符。",
    "How many one vote may choose.": "每人最多可选几个。",
    "Close it after this time: 10m, 8h, 7d.": (
        "过了这段时间自动结束：10m（分）、8h（小时）、7d（天）。"
    ),
    "Begin a poll. You close it, or an admin or owner, or its time does.": (
        "发起投票。由您、管理员或群主结束，或到时自动结束。"
    ),
    "Of the choices, from 1; none takes it back.": "答案的序号，从 1 开始；不写则撤回所投的票。",
    "Vote, instead of an earlier vote of yours. It is sealed until the poll is closed.": (
        "投票，取代您以前投的票。结束之前无人能看到。"
    ),
    "Close a poll: the votes that came until now count, and are opened.": (
        "结束投票：到此为止的票有效，并公布结果。"
    ),
    "Who asked may, and in groups admins and owners.": "由发起人操作，群里还可由管理员和群主操作。",
    "As for `vote`; default: the newest one.": "与 `vote` 相同；默认为最新的一个。",
    "Print how a poll stands. Needs no relay.": "显示投票的进展。无需连接中继。",
}
_DRAFTS: Final[Mapping[str, str]] = {
    "What was begun to be written; the chat window goes on with it.": (
        "写了一半的消息；可在聊天窗口里接着写。"
    ),
    "Print all drafts with their conversations. Needs no relay.": (
        "显示所有草稿及其会话。无需连接中继。"
    ),
    "Print the draft of a conversation, then those begun on other devices. Needs no relay.": (
        "显示会话的草稿，以及在其他设备上写的草稿。无需连接中继。"
    ),
    "The message that it will answer.": "它要回复的消息。",
    "Keep a draft, instead of the one before. Own other devices get it; nobody else does.": (
        "保存草稿，取代以前的。您的其他设备会得到它，别人不会。"
    ),
    "Send the draft of a conversation, and forget it.": "发送会话的草稿，然后清除。",
    "Erase the draft of a conversation. Needs no relay.": "擦除会话的草稿。无需连接中继。",
}
TALK: Final[Mapping[str, str]] = {
    **_SENDING,
    **_FILES,
    **_REMARKS,
    **_SETTINGS,
    **_GROUPS,
    **_DRAFTS,
}
"""By the English paragraph on one line."""
