"""What goes wrong with consents and devices, in Chinese; English is what errors speak."""

from collections.abc import Mapping
from typing import Final

import e2ecore
from cli_demo.consent_words import chosen_language
from cli_demo.exits import NoAccountError, RelayTimeoutError, explain
from cli_demo.passphrase import PassphraseError

EN: Final = "en"
"""The language of all verbs that know no other."""

CHINESE: Final[Mapping[type[BaseException], str]] = {
    e2ecore.WrongPasscodeError: "密码不正确，青少年模式仍然开启；本次输入已计数。",
    e2ecore.UnusablePasscodeError: "密码须为 6 至 64 个字符，不能过于简单，也不能打开数据库。",
    e2ecore.PasscodePauseError: "输错次数过多，请稍后再试。",
    e2ecore.OwnAccountError: "这是您自己的账号。",
    e2ecore.NameTooLongError: "名称最多 64 个字符。",
    e2ecore.UnknownHandleError: "没有这个用户名。",
    e2ecore.BadHandleError: "用户名须为 3 至 32 个字符，只能用 a-z、0-9、_ 和 .，以字母开头。",
    e2ecore.UnknownRequestError: "没有这样的申请，或已作出决定。",
    e2ecore.UnknownBondError: "没有这样的邀请或监护关系，或它已结束。",
    e2ecore.NotMarkedError: "此账号未标记为未满十四周岁的用户，不需要监护人。",
    e2ecore.NoGuardianError: "尚无监护人。请先邀请并等待对方接受：e2e guardian invite 用户名",
    e2ecore.HasGuardianError: "此账号已有监护人；对方退出后才能邀请他人。",
    e2ecore.GuardianRequiredError: "还需要监护人同意：e2e guardian ask {said}",
    e2ecore.BadMarkError: "日期须在今后十四年之内。",
    e2ecore.AccountMovedError: "账号已迁移到另一台设备；这里的历史记录仍可阅读。",
    e2ecore.AccountMovingError: "账号正在迁移到另一台设备，请先完成或稍后再试。",
    e2ecore.AlreadyRegisteredError: "本机的数据库已有账号。",
    e2ecore.BadConsentError: "同意的内容不完整、过长，或已经到期；未作任何更改。",
    e2ecore.BadConsentFileError: "这不是同意证明文件，或文件已被改动。",
    e2ecore.BadLinkCodeError: "代码有误，请核对后重新输入；什么都没有发生。",
    e2ecore.ChainInvalidError: "中继给出的账号记录是伪造的、分叉的或不完整的，未予采用。",
    e2ecore.ClockSkewError: "本机时钟与中继相差超过 15 分钟，请先校准时钟。",
    e2ecore.ConnectionLostError: "与中继的连接已中断，稍后会自动重连；没有任何内容丢失。",
    e2ecore.ConsentRequiredError: "需要您先同意。请阅读告知书后决定：e2e consent grant {said}",
    e2ecore.CorruptStateError: "本机的数据库已损坏：{said}",
    e2ecore.DatabaseInUseError: "另一个程序正在使用此数据库。",
    e2ecore.DatabaseMissingError: "此处没有数据库。",
    e2ecore.DeviceInQuarantineError: "该设备关联未满一天：请届时再确认，或加 --now 立即确认。",
    e2ecore.DeviceNotConfirmedError: "该设备尚未第二次确认，不能获得历史消息；请先核实并确认。",
    e2ecore.DeviceErasedError: "本设备已被账号所有者移除，其中的内容均已擦除。",
    e2ecore.DeviceRevokedError: "中继不再接受本设备：它已被移除，账号已迁移或注销，或中继不诚实。",
    e2ecore.E2EError: "未能完成：{said}",
    e2ecore.EngineClosedError: "程序已关闭。",
    e2ecore.LinkBrokenError: "另一台设备或中继没有按规则进行，此代码已作废，未关联任何设备。",
    e2ecore.MoveUnfinishedError: "账号迁移尚未完成，请先完成或稍后再试。",
    e2ecore.NoNoticeError: "没有该用途的告知书。",
    e2ecore.NoRelayError: "没有指定中继，请使用 --relay。",
    e2ecore.NotARelayError: "此地址不是中继，请核对地址。",
    e2ecore.NotComparedError: "还没有设备使用此代码。",
    e2ecore.NotHolderError: "本设备是后来关联的，不能更改账号。请在关联它的那台设备上操作。",
    e2ecore.NotRegisteredError: "本机的数据库还没有账号。",
    e2ecore.OnlyDeviceError: "这就是您手中的设备，请在另一台设备上移除它。",
    e2ecore.RelayCertificateError: "中继的证书不可信、已失效或名称不符，请勿继续。",
    e2ecore.RelayRefusedError: "中继拒绝了请求：{said}",
    e2ecore.RelayUnreachableError: "无法连接中继，请检查网络；稍后会自动重试。",
    e2ecore.RendezvousOverError: "另一台设备已离开、已拒绝，或时间已到；未关联任何设备。",
    e2ecore.TooManyDevicesError: "账号的设备数已达上限，请先移除不再使用的设备。",
    e2ecore.TransientError: "暂时无法完成，请稍后再试：{said}",
    e2ecore.UnknownConversationError: "本设备上没有这个会话。",
    e2ecore.SafetyNumberMismatchError: "数字不一致，请勿信任此连接；请与对方重新核对。",
    e2ecore.UnknownHandleError: "没有人使用这个用户名，请核对拼写。",
    e2ecore.UnknownOwnDeviceError: "账号没有这台设备，或它已被移除。",
    e2ecore.VersionError: "本程序与中继没有共同的版本，请更新较旧的一方。",
    e2ecore.WrongKeyError: "无法用它打开数据库；数据没有损坏，请重试。",
    e2ecore.WrongLinkCodeError: "代码不是对方设备上的代码；该代码已作废，请重新生成。",
    e2ecore.WrongPassphraseError: "密码短语不正确；数据没有损坏，请重试。",
    e2ecore.YouthModeError: "青少年模式下不能开启此项。",
    NoAccountError: "本机的数据库还没有账号：e2e register 用户名",
    RelayTimeoutError: "中继没有在规定时间内应答。",
    PassphraseError: "密码短语不可用：{said}",
    KeyboardInterrupt: "已中断",
}
"""By error, or a class above it."""


def explain_in(language: str | None, error: BaseException) -> str:
    """Say what happened, and what to do.

    Args:
        language: As asked for; None: the system's.
        error: What was raised.
    """
    said = explain(error)
    if chosen_language(language) == EN:
        return said
    found = next((CHINESE[kind] for kind in type(error).__mro__ if kind in CHINESE), None)
    return said if found is None else found.format(said=str(error) or said)
