// 评分表的文字与说明。

export const words = {
  zh: {
    widget: "评分表",
    title: "它是“{claim}”吗？",
    blind: "{n} 个段落，次序随机，由 {name} 评分；评分者既看不到激活值，也看不到别人的评分。",
    question: "框中的文字是“{claim}”吗？",
    passage: "段落",
    at: "第 {at} 段，共 {of} 段。",
    answers: "分数",
    skip: "无法判断（S）",
    undo: "撤销（U）",
    keys: "按键：0 到 3、S、U。",
    begin: "共 {of} 段待评分。",
    progress: "已评 {n} 段，共 {of} 段，每段 {each} 秒。",
    kept: "每个回答都保存在 {path} 中；再次打开时从上次停下之处继续。",
    lost: '回答只保存在这个笔记本的内核中；写上 path="mine.json"，每个回答都会随时保存。',
    still: "本页只能阅读。要评分，请在笔记本中打开评分表。",
    done: "所有段落都已评分。",
    read: "已有的评分",
    score: "{score} 分",
    refused: "无法判断",
    agreement: "与其他评判者的一致程度",
    agreementNote: "Kappa：1 表示总是一致，0 表示与偶然相同。任何一方无法判断的段落不计。",
    columns: ["评判者", "双方都评分", "kappa", "95 % 区间", "相同"],
    range: "{low} 到 {high}",
    said: "所有回答，按给出的次序",
    seconds: "{n} 秒",
    shows:
      "这里看不出：另一个人会不会给同样的分，以及你明天会不会给同样的分。" +
      "请让另一个人用自己的名字评同一张表，再看两人有多一致。",
    code: "相应的 Python 代码",
  },
};

export const notes = {
  zh: [
    {
      at: ".saew-grading-progress",
      say: "已评了多少段，平均每段用多长时间。",
    },
    {
      at: ".saew-grading-ask",
      say:
        "框中的词符合所说的吗？按 3、2、1 或 0；无法判断时按 S。" +
        "你看不到特征在那里激活得多强，也看不到其他评判者怎么说：两者都不应影响你。",
    },
    {
      at: ".saew-grading-head",
      say: "你要判断的说法。段落的次序是随机的。",
    },
  ],
};
