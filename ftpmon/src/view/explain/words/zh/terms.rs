//! Terms of Chinese: digits and codes of replies, verbs.

use ftpmon_core::ftp::Verb;
use ftpmon_event::{Category, ReplyClass};

use crate::view::explain::words::sentence::{Argument, Format};

/// The meaning of a reply code's first digit.
pub(super) fn class(class: ReplyClass) -> &'static str {
    match class {
        ReplyClass::Preliminary => "已开始，还会有另一个应答",
        ReplyClass::Completion => "已完成",
        ReplyClass::Intermediate => "已接受，还需要另一条命令",
        ReplyClass::TransientError => "暂时失败，可以重试",
        ReplyClass::PermanentError => "永久失败",
        ReplyClass::Protected => "受保护的应答",
    }
}

/// The meaning of its second digit.
pub(super) fn category(category: Category) -> &'static str {
    match category {
        Category::Syntax => "语法",
        Category::Information => "信息",
        Category::Connection => "控制连接和数据连接",
        Category::Authentication => "登录和记账",
        Category::Unspecified => "未指定",
        Category::Filesystem => "文件系统",
    }
}

/// The meaning of a reply code; none for one that no RFC defines.
pub(super) fn code(code: u16) -> Option<&'static str> {
    Some(match code {
        110 => "重新开始标记",
        120 => "服务将在几分钟后就绪",
        125 => "数据连接已打开，传输开始",
        150 => "文件状态正常，即将打开数据连接",
        200 => "命令成功",
        202 => "命令未实现，在这里也不需要",
        211 => "系统状态，或功能列表",
        212 => "目录状态",
        213 => "文件状态",
        214 => "帮助信息",
        215 => "系统类型",
        220 => "服务就绪，等待新用户",
        221 => "服务器关闭控制连接",
        225 => "数据连接已打开，没有传输",
        226 => "传输完成，关闭数据连接",
        227 => "进入被动模式",
        228 => "进入长地址被动模式",
        229 => "进入扩展被动模式",
        230 => "用户已登录",
        232 => "通过安全交换登录",
        234 => "接受安全机制，开始安全交换",
        235 => "接受安全数据",
        250 => "文件操作完成",
        257 => "路径名",
        331 => "用户名正确，需要口令",
        332 => "登录需要账户",
        334 => "接受安全机制，需要数据",
        335 => "接受安全数据，还需要更多",
        336 => "用户名正确，需要口令，附有质询",
        350 => "等待完成此操作的下一条命令",
        421 => "服务不可用，关闭控制连接",
        425 => "无法打开数据连接",
        426 => "连接关闭，传输中止",
        430 => "用户名或口令错误",
        431 => "安全所需的资源不可用",
        434 => "请求的主机不可用",
        450 => "文件不可用，可能正被占用",
        451 => "服务器出错，操作中止",
        452 => "存储空间不足",
        500 => "语法错误，无法识别命令",
        501 => "参数语法错误",
        502 => "命令未实现",
        503 => "命令顺序错误",
        504 => "不支持该参数",
        522 => "不支持该地址族",
        530 => "未登录",
        532 => "存储文件需要账户",
        533 => "拒绝该保护级别",
        534 => "因策略拒绝",
        535 => "安全检查失败",
        536 => "安全机制不支持该保护级别",
        550 => "文件不可用：不存在或无权访问",
        551 => "页类型未知",
        552 => "超出分配的存储空间",
        553 => "不允许的文件名",
        631 => "受完整性保护的应答",
        632 => "受机密性和完整性保护的应答",
        633 => "受机密性保护的应答",
        _ => return None,
    })
}

/// An argument of TYPE, MODE, STRU or EPSV.
pub(super) fn argument(argument: Argument) -> String {
    let format = |format: Format| match format {
        Format::NonPrint => "",
        Format::Telnet => "，用 Telnet 字符控制行和页",
        Format::Carriage => "，每行之前有走纸控制字符（ASA）",
    };
    let text = match argument {
        Argument::Ascii(of) => return format!("A 是 ASCII 文本，以 CR LF 换行{}。", format(of)),
        Argument::Ebcdic(of) => return format!("E 是 EBCDIC 文本，以 NL 换行{}。", format(of)),
        Argument::Local(bits) => return format!("L 表示给定大小的字节：{bits} 位。"),
        Argument::Image => "I（映像）表示原样字节。",
        Argument::Stream => "S（流）：字节原样传输，连接关闭即文件结束。",
        Argument::Block => "B（块）：按块传输，每块的头部给出长度。",
        Argument::Compressed => "C（压缩）：缩短重复的字节（RFC 959 第 3.4.3 节）。",
        Argument::Deflate => "Z：数据用 deflate 压缩；没有 RFC 定义它。",
        Argument::File => "F（文件）：文件是没有记录的字节序列。",
        Argument::Record => "R（记录）：文件由记录组成。",
        Argument::Page => "P（页）：文件由带索引的页组成。",
        Argument::EpsvAll => {
            "EPSV ALL：从此只能用 EPSV 建立数据连接，服务器拒绝 PORT、PASV 等命令（RFC 2428 第 4 节）。此时还不请求端点。"
        }
        Argument::EpsvFamily(1) => "1 表示请求 IPv4（RFC 2428 第 3 节）。",
        Argument::EpsvFamily(_) => "2 表示请求 IPv6（RFC 2428 第 3 节）。",
        Argument::Undefined => "参数不是 RFC 定义的任何一种。",
    };
    text.to_owned()
}

/// The nature of an argument that a security mechanism made (RFC 2228).
pub(super) const fn protected(verb: Verb) -> &'static str {
    match verb {
        Verb::Adat => "参数是安全交换的数据，以 base64 编码（RFC 2228）。",
        Verb::Mic => "参数是受完整性保护的命令（RFC 2228）：不能被暗中改动，但并未加密。",
        _ => "参数是由安全机制加密的命令（RFC 2228）：它没有以明文经过网络。",
    }
}

/// The purpose of a verb.
pub(super) fn purpose(verb: Verb) -> &'static str {
    match verb {
        Verb::User => "给出登录的用户名",
        Verb::Pass => "给出口令",
        Verb::Acct => "给出账户",
        Verb::Cwd | Verb::Xcwd => "改变工作目录",
        Verb::Cdup | Verb::Xcup => "转到上级目录",
        Verb::Smnt => "挂载另一个文件系统",
        Verb::Rein => "注销用户但保留连接",
        Verb::Quit => "退出登录",
        Verb::Port => "告知客户端在哪里监听数据连接",
        Verb::Eprt => "告知客户端在哪里监听（IPv4 或 IPv6）",
        Verb::Lprt => "告知客户端在哪里监听（任意地址族）",
        Verb::Spor => "告知客户端在哪里监听，每个条带一个端点",
        Verb::Pasv => "请服务器监听数据连接",
        Verb::Epsv => "请服务器监听数据连接（IPv4 或 IPv6）",
        Verb::Lpsv => "请服务器监听数据连接（任意地址族）",
        Verb::Spas => "请服务器监听数据连接，每个条带一个端点",
        Verb::Cpsv => "请服务器监听数据连接，并作为 TLS 客户端",
        Verb::Type => "设置传输类型",
        Verb::Stru => "设置文件结构",
        Verb::Mode => "设置传输模式",
        Verb::Retr => "下载文件",
        Verb::Stor => "上传文件",
        Verb::Stou => "上传文件，文件名由服务器选定",
        Verb::Appe => "上传并追加到文件末尾",
        Verb::Allo => "预告上传的大小",
        Verb::Rest => "设置下一次传输开始的字节位置",
        Verb::Rnfr => "给出要改名的文件",
        Verb::Rnto => "给出新文件名",
        Verb::Abor => "中止传输",
        Verb::Dele => "删除文件",
        Verb::Rmd | Verb::Xrmd => "删除目录",
        Verb::Rmda => "删除目录及其全部内容",
        Verb::Mkd | Verb::Xmkd => "建立目录",
        Verb::Pwd | Verb::Xpwd => "询问工作目录",
        Verb::List => "列出目录",
        Verb::Nlst => "列出目录中的文件名",
        Verb::Mlsd => "以程序可读的形式列出目录",
        Verb::Mlst => "询问单个文件的属性",
        Verb::Site => "该服务器自有的命令",
        Verb::Syst => "询问系统类型",
        Verb::Stat => "询问状态，或在应答中列出目录",
        Verb::Help => "请求帮助",
        Verb::Noop => "空操作，只为得到应答",
        Verb::Xsen | Verb::Xsem | Verb::Xmas | Verb::Msnd | Verb::Msom | Verb::Msam => "向终端或邮箱发送消息",
        Verb::Xrsq | Verb::Mrsq => "设置邮件收件人的给出方式",
        Verb::Xrcp | Verb::Mrcp => "给出邮件收件人",
        Verb::Mail => "经控制连接发送邮件",
        Verb::Mlfl => "经数据连接发送邮件",
        Verb::Auth => "请求安全机制，例如 TLS",
        Verb::Adat => "给出安全机制的数据",
        Verb::Pbsz => "设置保护缓冲区大小；TLS 为 0",
        Verb::Prot => "设置数据连接的保护：P 为加密，C 为明文",
        Verb::Ccc => "使控制连接恢复明文",
        Verb::Mic => "携带受完整性保护的命令",
        Verb::Conf => "携带受机密性保护的命令",
        Verb::Enc => "携带同时受两种保护的命令",
        Verb::Feat => "询问服务器支持的扩展",
        Verb::Opts => "设置命令的选项",
        Verb::Lang => "设置应答的语言",
        Verb::Mdtm => "询问文件的修改时间",
        Verb::Size => "询问文件大小",
        Verb::Host => "给出虚拟主机名",
        Verb::Mfmt => "设置文件的修改时间",
        Verb::Mfct => "设置文件的创建时间",
        Verb::Mff => "设置文件的属性",
        Verb::Hash | Verb::Cksm => "询问文件的散列值",
        Verb::Md5 | Verb::Mmd5 | Verb::Xmd5 => "询问文件的 MD5 散列值",
        Verb::Xcrc => "询问文件的 CRC-32",
        Verb::Xsha | Verb::Xsha1 => "询问文件的 SHA-1 散列值",
        Verb::Xsha224 => "询问文件的 SHA-224 散列值",
        Verb::Xsha256 => "询问文件的 SHA-256 散列值",
        Verb::Xsha384 => "询问文件的 SHA-384 散列值",
        Verb::Xsha512 => "询问文件的 SHA-512 散列值",
        Verb::Rang => "设置下一次传输的字节范围",
        Verb::Clnt | Verb::Csid => "给出客户端程序的名称",
        Verb::Avbl => "询问剩余空间",
        Verb::Comb => "合并文件",
        Verb::Dsiz => "询问目录大小",
        Verb::Thmb => "下载缩略图",
        Verb::Pret => "告知下一个 PASV 用于哪种传输",
        Verb::Sscn => "使服务器成为数据连接的 TLS 客户端",
        Verb::Esta => "建立主动数据连接",
        Verb::Estp => "建立被动数据连接",
        Verb::Macb => "设置 MacBinary 传输",
        Verb::Eret => "经服务器的模块下载文件",
        Verb::Esto => "经服务器的模块上传文件",
        Verb::Sbuf | Verb::Abuf => "设置 TCP 缓冲区大小",
        Verb::Dcau => "设置数据连接的认证",
        Verb::Scks => "给出上传文件应有的校验和",
        _ => "ftpmon 不认识的命令",
    }
}
